using System;
using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace SevenX42.Modules.Generation.Infrastructure.Migrations
{
    /// <inheritdoc />
    public partial class ReasoningPrefixAndDeletedConversations : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.AddColumn<string>(
                name: "reasoning_prefix",
                schema: "generation",
                table: "jobs",
                type: "text",
                nullable: false,
                defaultValue: "");

            migrationBuilder.CreateTable(
                name: "deleted_conversations",
                schema: "generation",
                columns: table => new
                {
                    id = table.Column<Guid>(type: "uuid", nullable: false),
                    deleted_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false, defaultValueSql: "now()")
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_deleted_conversations", x => x.id);
                });

            migrationBuilder.CreateIndex(
                name: "ix_deleted_conversations_deleted_at",
                schema: "generation",
                table: "deleted_conversations",
                column: "deleted_at");
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropTable(
                name: "deleted_conversations",
                schema: "generation");

            migrationBuilder.DropColumn(
                name: "reasoning_prefix",
                schema: "generation",
                table: "jobs");
        }
    }
}
