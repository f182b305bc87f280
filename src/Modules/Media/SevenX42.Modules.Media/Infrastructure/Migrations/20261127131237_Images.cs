using System;
using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace SevenX42.Modules.Media.Infrastructure.Migrations
{
    /// <summary>
    /// What is known of pictures, their smaller sizes, and deletions that can be taken back. Files that are there already stay files:
    /// they were stored as they came.
    /// </summary>
    public partial class Images : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.AlterDatabase()
                .Annotation("Npgsql:PostgresExtension:btree_gin", ",,");

            migrationBuilder.AddColumn<Guid>(
                name: "conversation_id",
                schema: "media",
                table: "assets",
                type: "uuid",
                nullable: true);

            migrationBuilder.AddColumn<DateTimeOffset>(
                name: "deleted_at",
                schema: "media",
                table: "assets",
                type: "timestamp with time zone",
                nullable: true);

            migrationBuilder.AddColumn<int>(
                name: "height",
                schema: "media",
                table: "assets",
                type: "integer",
                nullable: true);

            migrationBuilder.AddColumn<Guid>(
                name: "job_id",
                schema: "media",
                table: "assets",
                type: "uuid",
                nullable: true);

            migrationBuilder.AddColumn<int>(
                name: "job_index",
                schema: "media",
                table: "assets",
                type: "integer",
                nullable: true);

            migrationBuilder.AddColumn<string>(
                name: "kind",
                schema: "media",
                table: "assets",
                type: "character varying(16)",
                maxLength: 16,
                nullable: false,
                defaultValue: "File");

            migrationBuilder.AddColumn<string>(
                name: "model",
                schema: "media",
                table: "assets",
                type: "character varying(256)",
                maxLength: 256,
                nullable: true);

            migrationBuilder.AddColumn<string>(
                name: "negative_prompt",
                schema: "media",
                table: "assets",
                type: "character varying(10000)",
                maxLength: 10000,
                nullable: true);

            migrationBuilder.AddColumn<byte[]>(
                name: "preview",
                schema: "media",
                table: "assets",
                type: "bytea",
                nullable: true);

            migrationBuilder.AddColumn<string>(
                name: "prompt",
                schema: "media",
                table: "assets",
                type: "character varying(10000)",
                maxLength: 10000,
                nullable: true);

            migrationBuilder.AddColumn<long>(
                name: "seed",
                schema: "media",
                table: "assets",
                type: "bigint",
                nullable: true);

            migrationBuilder.AddColumn<long>(
                name: "variant_bytes",
                schema: "media",
                table: "assets",
                type: "bigint",
                nullable: false,
                defaultValue: 0L);

            migrationBuilder.AddColumn<int>(
                name: "width",
                schema: "media",
                table: "assets",
                type: "integer",
                nullable: true);

            migrationBuilder.CreateTable(
                name: "deleted_conversations",
                schema: "media",
                columns: table => new
                {
                    id = table.Column<Guid>(type: "uuid", nullable: false),
                    deleted_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_deleted_conversations", x => x.id);
                });

            migrationBuilder.CreateTable(
                name: "variants",
                schema: "media",
                columns: table => new
                {
                    asset_id = table.Column<Guid>(type: "uuid", nullable: false),
                    width = table.Column<int>(type: "integer", nullable: false),
                    height = table.Column<int>(type: "integer", nullable: false),
                    content_hash = table.Column<string>(type: "character varying(64)", maxLength: 64, nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_variants", x => new { x.asset_id, x.width });
                    table.ForeignKey(
                        name: "fk_variants_assets_asset_id",
                        column: x => x.asset_id,
                        principalSchema: "media",
                        principalTable: "assets",
                        principalColumn: "id",
                        onDelete: ReferentialAction.Cascade);
                });

            migrationBuilder.CreateIndex(
                name: "ix_assets_conversation",
                schema: "media",
                table: "assets",
                column: "conversation_id",
                filter: "conversation_id IS NOT NULL");

            migrationBuilder.CreateIndex(
                name: "ix_assets_deleted",
                schema: "media",
                table: "assets",
                column: "deleted_at",
                filter: "deleted_at IS NOT NULL");

            migrationBuilder.CreateIndex(
                name: "ix_assets_gallery",
                schema: "media",
                table: "assets",
                columns: new[] { "owner_id", "id" },
                descending: new[] { false, true },
                filter: "deleted_at IS NULL AND kind = 'Image'");

            migrationBuilder.CreateIndex(
                name: "ix_assets_job",
                schema: "media",
                table: "assets",
                columns: new[] { "job_id", "job_index" },
                unique: true,
                filter: "job_id IS NOT NULL");

            migrationBuilder.CreateIndex(
                name: "ix_deleted_conversations_deleted_at",
                schema: "media",
                table: "deleted_conversations",
                column: "deleted_at");

            migrationBuilder.CreateIndex(
                name: "ix_variants_content_hash",
                schema: "media",
                table: "variants",
                column: "content_hash");

            // Written by SQL alone: see MediaDbContext.
            migrationBuilder.Sql(
                """
                ALTER TABLE media.assets ADD COLUMN search tsvector;
                CREATE INDEX ix_assets_search ON media.assets USING gin (owner_id, search);
                """);
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.Sql("ALTER TABLE media.assets DROP COLUMN search");

            migrationBuilder.DropTable(
                name: "deleted_conversations",
                schema: "media");

            migrationBuilder.DropTable(
                name: "variants",
                schema: "media");

            migrationBuilder.DropIndex(
                name: "ix_assets_conversation",
                schema: "media",
                table: "assets");

            migrationBuilder.DropIndex(
                name: "ix_assets_deleted",
                schema: "media",
                table: "assets");

            migrationBuilder.DropIndex(
                name: "ix_assets_gallery",
                schema: "media",
                table: "assets");

            migrationBuilder.DropIndex(
                name: "ix_assets_job",
                schema: "media",
                table: "assets");

            migrationBuilder.DropColumn(
                name: "conversation_id",
                schema: "media",
                table: "assets");

            migrationBuilder.DropColumn(
                name: "deleted_at",
                schema: "media",
                table: "assets");

            migrationBuilder.DropColumn(
                name: "height",
                schema: "media",
                table: "assets");

            migrationBuilder.DropColumn(
                name: "job_id",
                schema: "media",
                table: "assets");

            migrationBuilder.DropColumn(
                name: "job_index",
                schema: "media",
                table: "assets");

            migrationBuilder.DropColumn(
                name: "kind",
                schema: "media",
                table: "assets");

            migrationBuilder.DropColumn(
                name: "model",
                schema: "media",
                table: "assets");

            migrationBuilder.DropColumn(
                name: "negative_prompt",
                schema: "media",
                table: "assets");

            migrationBuilder.DropColumn(
                name: "preview",
                schema: "media",
                table: "assets");

            migrationBuilder.DropColumn(
                name: "prompt",
                schema: "media",
                table: "assets");

            migrationBuilder.DropColumn(
                name: "seed",
                schema: "media",
                table: "assets");

            migrationBuilder.DropColumn(
                name: "variant_bytes",
                schema: "media",
                table: "assets");

            migrationBuilder.DropColumn(
                name: "width",
                schema: "media",
                table: "assets");

            migrationBuilder.AlterDatabase()
                .OldAnnotation("Npgsql:PostgresExtension:btree_gin", ",,");
        }
    }
}
