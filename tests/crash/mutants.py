"""Seeded faults of the engine: each removes one sync, one check or one bound. A mutant is a name, a file, the text as it
stands (once in the file) and what takes its place; `Mutant("name")` there is true when that mutant is switched on. The
runner (run_mutants.py) applies all of them to a copy of the tree, so that one build serves them all.
"""

IO, WAL, RECOVERY = "engine/io/atomic_file.cc", "engine/head/wal_writer.cc", "engine/head/wal_recovery.cc"
READER, FORMAT, BLOCK = "engine/head/wal_reader.cc", "engine/head/wal_format.cc", "engine/part/block_file.cc"
OPEN, WORK, IMPL, MANIFEST = ("engine/db/db_open.cc", "engine/db/db_work.cc", "engine/db/db_impl.cc",
                              "engine/db/manifest.cc")
PART, WRITER = "engine/part/part.cc", "engine/part/part_writer.cc"
SCAN, SERIES, MERGE = "engine/part/table_scan.cc", "engine/part/series_scan.cc", "engine/part/part_merge.cc"
COPY = "engine/db/store_copy.cc"


MUTANTS = [
    # Syncs of files and directories.
    ("sync-new-manifest", IO, "  RETURN_IF_ERROR(file->Append(bytes));\n  return file->Sync();",
     '  RETURN_IF_ERROR(file->Append(bytes));\n  if (Mutant("sync-new-manifest")) return absl::OkStatus();\n'
     "  return file->Sync();"),
    ("sync-directory-after-rename", IO, "  return fs->SyncDir(DirName(path));",
     '  if (Mutant("sync-directory-after-rename")) return absl::OkStatus();\n  return fs->SyncDir(DirName(path));'),
    ("manifest-in-place", IO, "  const std::string temp = path + std::string(kTempSuffix);\n"
     "  return PutInPlace(fs, temp, path, WriteAndSync(fs, temp, bytes));",
     "  const std::string temp = path + std::string(kTempSuffix);\n"
     '  if (Mutant("manifest-in-place")) return WriteAndSync(fs, path, bytes);\n'
     "  return PutInPlace(fs, temp, path, WriteAndSync(fs, temp, bytes));"),
    ("sync-wal-directory", WAL, "  RETURN_IF_ERROR(fs->SyncDir(dir));",
     '  if (!Mutant("sync-wal-directory")) RETURN_IF_ERROR(fs->SyncDir(dir));'),
    ("sync-commit", IMPL,
     "    if (std::any_of(group.begin(), group.end(), [](const Writer* writer) { return writer->durable; })) {",
     '    if (!Mutant("sync-commit") &&\n'
     "        std::any_of(group.begin(), group.end(), [](const Writer* writer) { return writer->durable; })) {"),
    ("sync-block-file", BLOCK, "  RETURN_IF_ERROR(Drain());\n  return file_->Sync();",
     '  RETURN_IF_ERROR(Drain());\n  if (Mutant("sync-block-file")) return absl::OkStatus();\n  return file_->Sync();'),
    ("sync-part-directory", WRITER, "    return fs_->SyncDir(dir_);",
     '    if (Mutant("sync-part-directory")) return absl::OkStatus();\n    return fs_->SyncDir(dir_);'),
    ("sync-parts-directory", WORK, "    RETURN_IF_ERROR(fs_->SyncDir(PartsDir()));",
     '    if (!Mutant("sync-parts-directory")) RETURN_IF_ERROR(fs_->SyncDir(PartsDir()));'),
    ("sync-store-directory", OPEN,
     "    RETURN_IF_ERROR(fs_->CreateDir(PartsDir()));\n    RETURN_IF_ERROR(fs_->SyncDir(path_));",
     "    RETURN_IF_ERROR(fs_->CreateDir(PartsDir()));\n"
     '    if (!Mutant("sync-store-directory")) RETURN_IF_ERROR(fs_->SyncDir(path_));'),
    ("sync-parent-of-new-store", OPEN, "  const absl::Status synced = fs_->SyncDir(DirName(path_));",
     '  const absl::Status synced =\n'
     '      Mutant("sync-parent-of-new-store") ? absl::OkStatus() : fs_->SyncDir(DirName(path_));'),
    ("sync-before-switch", IMPL, "  RETURN_IF_ERROR(SyncWal());\n  wal_ = nullptr;",
     '  if (!Mutant("sync-before-switch")) RETURN_IF_ERROR(SyncWal());\n  wal_ = nullptr;'),
    ("settle-recovered-wal", RECOVERY,
     "    if (!spec_.read_only && !result_.segments.empty()) RETURN_IF_ERROR(Settle(result_.segments.back().first));",
     '    if (!Mutant("settle-recovered-wal") && !spec_.read_only && !result_.segments.empty()) {\n'
     "      RETURN_IF_ERROR(Settle(result_.segments.back().first));\n    }"),
    ("settle-by-sync-only", RECOVERY, "    if (!last_ended_) {\n      const absl::Status status = RewriteFile",
     '    if (!last_ended_ && !Mutant("settle-by-sync-only")) {\n      const absl::Status status = RewriteFile'),
    ("sync-copied-file", COPY, "    return out->Sync();", '    return Mutant("sync-copied-file") ? absl::OkStatus() : out->Sync();'),
    ("sync-copied-parts-directory", COPY, "      RETURN_IF_ERROR(fs_->SyncDir(PartsOf(to_)));",
     '      if (!Mutant("sync-copied-parts-directory")) RETURN_IF_ERROR(fs_->SyncDir(PartsOf(to_)));'),
    # Order.
    ("wal-goes-before-manifest", WORK, "  const uint64_t first_segment = next.first_segment;\n",
     "  const uint64_t first_segment = next.first_segment;\n"
     '  if (Mutant("wal-goes-before-manifest") && flushed != nullptr) RemoveSegments(first_segment).IgnoreError();\n'),
    ("wal-is-kept-but-flushed-sequence-is-not", WORK, "      next.flushed_sequence = frozen_sequence_;",
     '      if (!Mutant("wal-is-kept-but-flushed-sequence-is-not")) next.flushed_sequence = frozen_sequence_;'),
    ("first-segment-stays", WORK, "      next.first_segment = frozen_segment_end_;",
     '      if (!Mutant("first-segment-stays")) next.first_segment = frozen_segment_end_;'),
    # A failed sync or write is not final, or leaves something behind.
    ("failed-sync-is-retried", WAL, "  broken_ = absl::Status(absl::StatusCode::kUnavailable, \"\");  // needs no memory",
     '  if (Mutant("failed-sync-is-retried")) return status;\n'
     '  broken_ = absl::Status(absl::StatusCode::kUnavailable, "");  // needs no memory'),
    ("failed-sync-is-ignored", IMPL, "  if (!status.ok()) return Poison(status);\n  acknowledged_unsynced_ = false;",
     '  if (!status.ok() && !Mutant("failed-sync-is-ignored")) return Poison(status);\n'
     "  acknowledged_unsynced_ = false;"),
    ("failed-append-is-not-cut", WAL, "  const absl::Status cut = file_->Truncate(offset);",
     '  const absl::Status cut = Mutant("failed-append-is-not-cut") ? absl::OkStatus() : file_->Truncate(offset);'),
    ("failed-append-keeps-definitions", WAL, "    for (WalPlace* place : defined) *place = {};",
     '    for (WalPlace* place : defined) {\n      if (!Mutant("failed-append-keeps-definitions")) *place = {};\n    }'),
    ("unsynced-record-stays", WAL, "  if (cut_to_synced)",
     '  if (cut_to_synced && !Mutant("unsynced-record-stays"))'),
    ("failed-manifest-is-forgotten", WORK,
     "    if (!on_disk.ok() || on_disk->generation != manifest_.generation) return Poison(status);",
     '    if (!Mutant("failed-manifest-is-forgotten") &&\n'
     "        (!on_disk.ok() || on_disk->generation != manifest_.generation)) {\n      return Poison(status);\n    }"),
    # Checksums.
    ("wal-header-checksum", FORMAT, "crc == Crc32c(bytes.substr(0, 40)) &&",
     '(Mutant("wal-header-checksum") || crc == Crc32c(bytes.substr(0, 40))) &&'),
    ("wal-record-header-checksum", FORMAT,
     "         crc == Crc32c(bytes.substr(0, kWalRecordHeaderBytes - 4), seed);",
     '         (Mutant("wal-record-header-checksum") || crc == Crc32c(bytes.substr(0, kWalRecordHeaderBytes - 4), seed));'),
    ("wal-payload-checksum", READER, "  if (Crc32c(bytes, seed) != record->header.payload_crc) {",
     '  if (!Mutant("wal-payload-checksum") && Crc32c(bytes, seed) != record->header.payload_crc) {'),
    ("wal-checksum-without-place", FORMAT, "  const uint64_t place[] = {store, segment, offset};",
     '  const bool nowhere = Mutant("wal-checksum-without-place");\n'
     "  const uint64_t place[] = {nowhere ? 0 : store, nowhere ? 0 : segment, nowhere ? 0 : offset};"),
    ("block-checksum", BLOCK, "  if (stored_size != stored.size() || crc != BlockCrc(file_id_, ref.offset, head, stored)) {",
     "  if (stored_size != stored.size() ||\n"
     '      (!Mutant("block-checksum") && crc != BlockCrc(file_id_, ref.offset, head, stored))) {'),
    ("block-checksum-without-place", BLOCK, "  PutFixed64(&place, file_id);\n  PutFixed64(&place, offset);",
     '  PutFixed64(&place, Mutant("block-checksum-without-place") ? 0 : file_id);\n'
     '  PutFixed64(&place, Mutant("block-checksum-without-place") ? 0 : offset);'),
    ("block-header-checksum", BLOCK, "  return Crc32c(stored, Crc32c(head, Crc32c(place)));",
     '  if (Mutant("block-header-checksum")) return Crc32c(stored, Crc32c(place));\n'
     "  return Crc32c(stored, Crc32c(head, Crc32c(place)));"),
    ("file-header-checksum", BLOCK, "  if (crc != Crc32c(std::string_view(bytes).substr(0, kBlockFileHeaderBytes - 4))) {",
     '  if (!Mutant("file-header-checksum") &&\n'
     "      crc != Crc32c(std::string_view(bytes).substr(0, kBlockFileHeaderBytes - 4))) {"),
    ("trailer-checksum", BLOCK,
     "  if (magic != kTrailerMagic || crc != Crc32c(std::string_view(bytes).substr(0, 24))) {",
     "  if (magic != kTrailerMagic ||\n"
     '      (!Mutant("trailer-checksum") && crc != Crc32c(std::string_view(bytes).substr(0, 24)))) {'),
    ("manifest-body-checksum", MANIFEST, "crc != Crc32c(body) ||", '(!Mutant("manifest-body-checksum") && crc != Crc32c(body)) ||'),
    ("manifest-header-checksum", MANIFEST, "      crc != Crc32c(bytes.substr(0, kHeadBytes - 4))) {",
     '      (!Mutant("manifest-header-checksum") && crc != Crc32c(bytes.substr(0, kHeadBytes - 4)))) {'),
    # Identity and bounds.
    ("file-of-another-part", PART,
     "    if (listed->size == file.size() && listed->id == file.file_id()) return absl::OkStatus();",
     '    if (Mutant("file-of-another-part") || (listed->size == file.size() && listed->id == file.file_id())) {\n'
     "      return absl::OkStatus();\n    }"),
    ("term-index-of-another-part", PART,
     "    if (listed == nullptr || listed->id != index->file().file_id()) {\n"
     '      return absl::DataLossError(absl::StrCat(FileLabel(file), ": index of another part"));',
     '    if (!Mutant("term-index-of-another-part") && (listed == nullptr || listed->id != index->file().file_id())) {\n'
     '      return absl::DataLossError(absl::StrCat(FileLabel(file), ": index of another part"));'),
    ("part-of-other-rows", OPEN, "      if (!same) part = absl::DataLossError",
     '      if (!same && !Mutant("part-of-other-rows")) part = absl::DataLossError'),
    ("segment-of-another-store", RECOVERY, "    } else if (header.segment != segment || header.store != spec_.store) {",
     '    } else if (!Mutant("segment-of-another-store") &&\n'
     "               (header.segment != segment || header.store != spec_.store)) {"),
    # What damage means.
    ("corruption-counts-as-torn", RECOVERY, "      if (record.header.synced > damage) return true;",
     '      if (record.header.synced > damage && !Mutant("corruption-counts-as-torn")) return true;'),
    ("torn-end-stays", RECOVERY, "    RETURN_IF_ERROR(Truncate(segment, damage));\n    result_.segments.emplace_back(segment, damage);\n    return absl::OkStatus();\n  }\n\n  absl::Status Truncate",
     '    if (!Mutant("torn-end-stays")) RETURN_IF_ERROR(Truncate(segment, damage));\n'
     "    result_.segments.emplace_back(segment, damage);\n    return absl::OkStatus();\n  }\n\n  absl::Status Truncate"),
    ("damaged-part-is-removed", OPEN, "  RETURN_IF_ERROR(fs_->Rename(from, to));",
     '  if (Mutant("damaged-part-is-removed")) return RemovePartDir(from);\n  RETURN_IF_ERROR(fs_->Rename(from, to));'),
    ("what-was-taken-back-is-not-synced", WAL, "  cut_ = true;\n", '  cut_ = !Mutant("what-was-taken-back-is-not-synced");\n'),
    ("emptied-segment-counts-as-torn", RECOVERY, "(damage == 0 && (foreign || segment <= spec_.last_segment));",
     '(damage == 0 && (foreign || (segment <= spec_.last_segment && !Mutant("emptied-segment-counts-as-torn"))));'),
    ("missing-segment-is-not-noticed", OPEN, "  if (last < manifest_.first_segment || kept) return absl::OkStatus();",
     '  if (last < manifest_.first_segment || kept || Mutant("missing-segment-is-not-noticed")) return absl::OkStatus();'),
    ("orphans-beside-an-old-manifest-are-removed", OPEN,
     "    const bool is_garbage = counters_.quarantined.empty();",
     '    const bool is_garbage = counters_.quarantined.empty() || Mutant("orphans-beside-an-old-manifest-are-removed");'),
    ("damage-is-not-reported", OPEN, '    counters_.quarantined.push_back(absl::StrCat("part ", PartName(id), ": ", why));',
     '    if (!Mutant("damage-is-not-reported")) {\n'
     '      counters_.quarantined.push_back(absl::StrCat("part ", PartName(id), ": ", why));\n    }'),
    ("scan-does-not-report-damage", SCAN,
     "        stats_.damaged.push_back(std::string(status.message()));",
     '        if (!Mutant("scan-does-not-report-damage")) stats_.damaged.push_back(std::string(status.message()));'),
    ("series-scan-does-not-report-damage", SERIES,
     "        stats_.damaged.push_back(std::string(status.message()));\n        loaded_.clear();",
     '        if (!Mutant("series-scan-does-not-report-damage")) {\n'
     "          stats_.damaged.push_back(std::string(status.message()));\n        }\n        loaded_.clear();"),
    ("merge-drops-damaged-blocks", MERGE, "  return stats.damaged.empty() ? absl::OkStatus()",
     '  return stats.damaged.empty() || Mutant("merge-drops-damaged-blocks") ? absl::OkStatus()'),
    ("number-given-twice", OPEN, "    manifest_.next_part = std::max(manifest_.next_part, id + 1);",
     '    if (!Mutant("number-given-twice")) manifest_.next_part = std::max(manifest_.next_part, id + 1);'),
]
