using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace SevenX42.Modules.Chat.Infrastructure.Migrations
{
    /// <inheritdoc />
    public partial class PendingAnswers : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropIndex(
                name: "ix_messages_generation_id",
                schema: "chat",
                table: "messages");

            migrationBuilder.CreateIndex(
                name: "ix_messages_pending",
                schema: "chat",
                table: "messages",
                column: "generation_id",
                filter: "status = 'Pending'");
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropIndex(
                name: "ix_messages_pending",
                schema: "chat",
                table: "messages");

            migrationBuilder.CreateIndex(
                name: "ix_messages_generation_id",
                schema: "chat",
                table: "messages",
                column: "generation_id");
        }
    }
}
