using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace SevenX42.Modules.Chat.Infrastructure.Migrations
{
    /// <inheritdoc />
    public partial class Studio : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.AddColumn<bool>(
                name: "is_studio",
                schema: "chat",
                table: "conversations",
                type: "boolean",
                nullable: false,
                defaultValue: false);

            migrationBuilder.CreateIndex(
                name: "ix_messages_prompts",
                schema: "chat",
                table: "messages",
                columns: new[] { "owner_id", "created_at" },
                descending: new[] { false, true },
                filter: "drawing IS NOT NULL AND role = 'User'");

            migrationBuilder.CreateIndex(
                name: "ix_conversations_studio",
                schema: "chat",
                table: "conversations",
                column: "owner_id",
                unique: true,
                filter: "is_studio");
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropIndex(
                name: "ix_messages_prompts",
                schema: "chat",
                table: "messages");

            migrationBuilder.DropIndex(
                name: "ix_conversations_studio",
                schema: "chat",
                table: "conversations");

            migrationBuilder.DropColumn(
                name: "is_studio",
                schema: "chat",
                table: "conversations");
        }
    }
}
