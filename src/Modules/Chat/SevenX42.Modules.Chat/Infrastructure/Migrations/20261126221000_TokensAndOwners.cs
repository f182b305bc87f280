using System;
using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace SevenX42.Modules.Chat.Infrastructure.Migrations
{
    /// <inheritdoc />
    public partial class TokensAndOwners : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.AddColumn<int>(
                name: "tokens",
                schema: "chat",
                table: "messages",
                type: "integer",
                nullable: true);

            migrationBuilder.CreateTable(
                name: "owners",
                schema: "chat",
                columns: table => new
                {
                    id = table.Column<Guid>(type: "uuid", nullable: false),
                    is_deleted = table.Column<bool>(type: "boolean", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_owners", x => x.id);
                });
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropTable(
                name: "owners",
                schema: "chat");

            migrationBuilder.DropColumn(
                name: "tokens",
                schema: "chat",
                table: "messages");
        }
    }
}
