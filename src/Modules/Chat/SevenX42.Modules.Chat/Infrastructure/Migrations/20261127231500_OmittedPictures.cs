using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace SevenX42.Modules.Chat.Infrastructure.Migrations
{
    /// <inheritdoc />
    public partial class OmittedPictures : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.AddColumn<int>(
                name: "omitted_pictures",
                schema: "chat",
                table: "messages",
                type: "integer",
                nullable: false,
                defaultValue: 0);
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropColumn(
                name: "omitted_pictures",
                schema: "chat",
                table: "messages");
        }
    }
}
