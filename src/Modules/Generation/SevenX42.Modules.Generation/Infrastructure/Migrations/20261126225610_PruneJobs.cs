using System;
using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace SevenX42.Modules.Generation.Infrastructure.Migrations
{
    /// <inheritdoc />
    public partial class PruneJobs : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.CreateTable(
                name: "deleted_users",
                schema: "generation",
                columns: table => new
                {
                    id = table.Column<Guid>(type: "uuid", nullable: false),
                    deleted_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false, defaultValueSql: "now()")
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_deleted_users", x => x.id);
                });

            migrationBuilder.CreateIndex(
                name: "ix_jobs_done",
                schema: "generation",
                table: "jobs",
                column: "finished_at",
                filter: "finished_at IS NOT NULL AND announced AND text IS NULL");

            migrationBuilder.CreateIndex(
                name: "ix_jobs_unannounced",
                schema: "generation",
                table: "jobs",
                column: "finished_at",
                filter: "finished_at IS NOT NULL AND NOT announced");
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropTable(
                name: "deleted_users",
                schema: "generation");

            migrationBuilder.DropIndex(
                name: "ix_jobs_done",
                schema: "generation",
                table: "jobs");

            migrationBuilder.DropIndex(
                name: "ix_jobs_unannounced",
                schema: "generation",
                table: "jobs");
        }
    }
}
