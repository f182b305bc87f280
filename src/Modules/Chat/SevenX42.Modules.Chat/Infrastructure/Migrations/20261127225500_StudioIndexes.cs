using Microsoft.EntityFrameworkCore.Migrations;
using SevenX42.Persistence;

#nullable disable

namespace SevenX42.Modules.Chat.Infrastructure.Migrations
{
    /// <summary>The indexes that the studio needs: the last prompts of somebody, and one studio for everybody.</summary>
    public partial class StudioIndexes : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.CreateIndexConcurrently(
                "chat", "ix_messages_prompts", "messages (owner_id, created_at DESC) WHERE drawing IS NOT NULL AND role = 'User'");
            migrationBuilder.CreateIndexConcurrently(
                "chat", "ix_conversations_studio", "conversations (owner_id) WHERE is_studio", unique: true);
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropIndexConcurrently("chat", "ix_messages_prompts");
            migrationBuilder.DropIndexConcurrently("chat", "ix_conversations_studio");
        }
    }
}
