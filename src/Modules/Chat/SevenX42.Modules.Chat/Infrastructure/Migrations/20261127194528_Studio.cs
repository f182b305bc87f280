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
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropColumn(
                name: "is_studio",
                schema: "chat",
                table: "conversations");
        }
    }
}
