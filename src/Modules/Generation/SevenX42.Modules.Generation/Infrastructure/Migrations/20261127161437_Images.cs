using System;
using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace SevenX42.Modules.Generation.Infrastructure.Migrations
{
    /// <inheritdoc />
    public partial class Images : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.AddColumn<string>(
                name: "drawn",
                schema: "generation",
                table: "jobs",
                type: "jsonb",
                nullable: true);

            migrationBuilder.AddColumn<string>(
                name: "image",
                schema: "generation",
                table: "jobs",
                type: "jsonb",
                nullable: true);

            migrationBuilder.AddColumn<DateTimeOffset>(
                name: "pictures_not_before",
                schema: "generation",
                table: "jobs",
                type: "timestamp with time zone",
                nullable: true);

            migrationBuilder.CreateTable(
                name: "previews",
                schema: "generation",
                columns: table => new
                {
                    job_id = table.Column<Guid>(type: "uuid", nullable: false),
                    attempt = table.Column<int>(type: "integer", nullable: false),
                    version = table.Column<string>(type: "character varying(32)", maxLength: 32, nullable: false),
                    media_type = table.Column<string>(type: "character varying(32)", maxLength: 32, nullable: false),
                    bytes = table.Column<byte[]>(type: "bytea", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_previews", x => x.job_id);
                    table.ForeignKey(
                        name: "fk_previews_jobs_job_id",
                        column: x => x.job_id,
                        principalSchema: "generation",
                        principalTable: "jobs",
                        principalColumn: "id",
                        onDelete: ReferentialAction.Cascade);
                });

            // What is worth nothing in a minute is not worth a place in the write-ahead log.
            migrationBuilder.Sql("ALTER TABLE generation.previews SET UNLOGGED");

            // Pictures don't get smaller by being packed again. Few rows, each replaced several times a second: by the share of its rows that
            // are dead, the usual measure, so small a table would be cleaned either all the time or, of its bytes, too late.
            migrationBuilder.Sql("ALTER TABLE generation.previews ALTER COLUMN bytes SET STORAGE EXTERNAL");
            migrationBuilder.Sql("""
                ALTER TABLE generation.previews SET (
                    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 100,
                    toast.autovacuum_vacuum_scale_factor = 0, toast.autovacuum_vacuum_threshold = 1000)
                """);
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropTable(
                name: "previews",
                schema: "generation");

            migrationBuilder.DropColumn(
                name: "drawn",
                schema: "generation",
                table: "jobs");

            migrationBuilder.DropColumn(
                name: "image",
                schema: "generation",
                table: "jobs");

            migrationBuilder.DropColumn(
                name: "pictures_not_before",
                schema: "generation",
                table: "jobs");
        }
    }
}
