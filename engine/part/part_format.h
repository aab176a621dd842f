// Every file name, magic, version, flag and limit of a part, each with its reason. Layout: docs/format/part.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "braid/snapshot.h"

namespace braid {

// ---- Files of a part's directory. A file without content is not written.
inline constexpr char kMetaFile[] = "meta";        // what is here: counts, files, streams, metadata, trace filter
inline constexpr char kSamplesFile[] = "samples";  // chunks by series, and the series themselves
inline constexpr char kLabelIndexFile[] = "samples.index";  // label pair -> series
inline constexpr char kIndexSuffix[] = ".index";            // "logs.index": term index of table file "logs"
inline constexpr char kSpillSuffix[] = ".spill";            // scratch of a writer; never part of a finished part

// ---- Block files.
inline constexpr char kBlockFileMagic[] = "BRAIDBLK";  // 8 bytes at the start of each file
inline constexpr uint32_t kTrailerMagic = 0x4c494142;  // "BAIL" the other way round: the last 4 bytes

// What a block file holds; on disk.
enum class FileKind : uint32_t { kMeta = 1, kSamples = 2, kLabelIndex = 3, kTable = 4, kTermIndex = 5 };

// Version of the framing and of all contents. A reader refuses anything newer; it goes up when old readers would
// misread new files.
inline constexpr uint32_t kPartFormatVersion = 2;
// Bits of features that a reader must know to read the file at all, and of those that it may ignore. None yet.
inline constexpr uint32_t kKnownIncompatibleFeatures = 0;

// What a block holds; on disk. A block of another type than the reader expects is damage.
enum class BlockType : uint8_t {
  kFooter = 1,
  kDirectory = 2,      // a file's own table of contents: series blocks, row groups, columns, index blocks
  kChunks = 3,         // chunks of samples, back to back
  kSeries = 4,         // labels and chunk list of a run of series
  kColumn = 5,         // one column of one row group
  kPackedColumns = 6,  // several columns that few rows of a row group have
  kLabelValues = 7,    // values of one label name with their postings
  kTerms = 8,          // hashed terms with the row groups that have them
  kCounts = 9,
  kStreams = 10,
  kMetadata = 11,
  kTraceFilter = 12,
  kParents = 13,  // parent ids of spans as rows (relative_column.h)
};

// ---- Limits.
// Stored and plain bytes of one block: the text limit of a column (kMaxColumnTextBytes) with room for its codes. What a
// damaged or hostile size can make a reader allocate.
inline constexpr uint64_t kMaxBlockBytes = uint64_t{512} << 20;
// Entries of a file's footer: there are a handful of sections.
inline constexpr uint64_t kMaxSections = 64;

// Samples of a chunk: short enough that a narrow time range decodes little, long enough that 30 bytes of chunk
// description are below 0.05 bytes a sample.
inline constexpr size_t kChunkSamples = 1024;
// Plain bytes of a block of chunks: the unit of compression across chunks (neighbouring series share time patterns)
// and of reading; a series read alone pays for its neighbours in the block.
inline constexpr size_t kChunkBlockBytes = 64 << 10;
// Series of one series block: labels of neighbours share most of their text.
inline constexpr size_t kSeriesPerBlock = 256;
// Values of one block of the label index.
inline constexpr size_t kLabelValuesPerBlock = 1024;

// Rows of a row group, the unit of skipping and decoding. Smaller ones read less for a needle or a trace and cost
// bytes: on a day of microservice telemetry 2,048 made spans 7 % larger than 4,096 did; 8,192 made logs 2 % smaller,
// and the logs of one trace read 1.5 times the bytes.
inline constexpr size_t kRowsPerGroup = 4096;
// Text of a row group at which it is closed early: bounds memory where messages are long.
inline constexpr size_t kRowGroupTextBytes = 32 << 20;
// Rows that a reader accepts in a row group: Scan promises batches of at most 8,192 rows.
inline constexpr size_t kMaxRowsPerGroup = 8192;
// A column with values in at most rows / kSparseDivisor rows of a group is packed with others of its kind, so that
// thousands of attribute names do not make thousands of blocks.
inline constexpr size_t kSparseDivisor = 32;
inline constexpr size_t kPackedBlockBytes = 32 << 10;
// Columns of a table (distinct attribute names). A reader refuses more; a writer answers InvalidArgument.
inline constexpr uint64_t kMaxColumns = 1 << 20;

// Entries (hash, row groups) of one block of a term index: about 4 KB read, and decoded from its start, for a needle.
inline constexpr size_t kTermsPerBlock = 2048;
// Row groups of a table: a term index keeps their numbers in 24 bits.
inline constexpr uint32_t kMaxRowGroups = 1 << 24;
// (hash, row group) pairs that a writer sorts in memory, 16 bytes each; more are spilled to a scratch file.
inline constexpr size_t kTermPairsInMemory = size_t{1} << 20;
// Bits of a term's hash beyond log2(terms): an absent term is taken for a present one in 1 of 8 look-ups, which costs
// reading a row group in vain; each further bit would cost an eighth of a byte per rare term.
inline constexpr int kTermGuardBits = 3;
// Integers of one column of a row group that are indexed by value; beyond, the group counts as having any integer.
inline constexpr size_t kMaxIndexedInts = 256;
// Values longer than this are not indexed either: nobody asks for equality with a page of text.
inline constexpr size_t kMaxIndexedValueBytes = 256;

// Bits per trace id of the filter that is held in memory, and probes: 1 % false positives.
inline constexpr size_t kTraceFilterBits = 10;
inline constexpr int kTraceFilterProbes = 7;

inline constexpr int kZstdLevel = 3;

}  // namespace braid
