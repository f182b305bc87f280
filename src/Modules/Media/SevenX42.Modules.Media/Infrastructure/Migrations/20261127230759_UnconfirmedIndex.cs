using Microsoft.EntityFrameworkCore.Migrations;
using SevenX42.Persistence;

#nullable disable

namespace SevenX42.Modules.Media.Infrastructure.Migrations
{
    /// <summary>Finds the pictures that wait for their message.</summary>
    public partial class UnconfirmedIndex : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder) => migrationBuilder.CreateIndexConcurrently(
            "media", "ix_assets_unconfirmed", "assets (unconfirmed_since) WHERE unconfirmed_since IS NOT NULL");

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder) => migrationBuilder.DropIndexConcurrently("media", "ix_assets_unconfirmed");
    }
}
