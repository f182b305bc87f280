using System;
using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace SevenX42.Modules.Media.Infrastructure.Migrations
{
    /// <summary>Which jobs have ended, and which pictures wait for the message that they were kept for.</summary>
    public partial class Endings : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.AddColumn<DateTimeOffset>(
                name: "unconfirmed_since",
                schema: "media",
                table: "assets",
                type: "timestamp with time zone",
                nullable: true);

            migrationBuilder.CreateTable(
                name: "ended_jobs",
                schema: "media",
                columns: table => new
                {
                    id = table.Column<Guid>(type: "uuid", nullable: false),
                    ended_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_ended_jobs", x => x.id);
                });

            migrationBuilder.CreateIndex(
                name: "ix_ended_jobs_ended_at",
                schema: "media",
                table: "ended_jobs",
                column: "ended_at");
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropTable(
                name: "ended_jobs",
                schema: "media");

            migrationBuilder.DropColumn(
                name: "unconfirmed_since",
                schema: "media",
                table: "assets");
        }
    }
}
