// A log is a run of blocks of 32 KiB, a block a run of fragments, none of which crosses its end; less room
// than a header at the end of a block is left zero. All numbers are little-endian.
//
//   fragment   masked CRC-32C of type and bytes (4) | length (2) | type (1) | bytes
//   record     one fragment of type kFull, or kFirst, any number of kMiddle, kLast
//   contents   sequence number of the first change (8) | count of changes (4) | changes
#include "store/wal_check.h"

#include <fmt/format.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "store/file_bytes.h"

namespace nightjar::store {
namespace {

constexpr std::size_t kBlockBytes = 32 * 1024;
constexpr std::size_t kFragmentHeaderBytes = 7;
constexpr std::size_t kRecordHeaderBytes = 12;
enum class FragmentType : std::uint8_t { kFull = 1, kFirst = 2, kMiddle = 3, kLast = 4 };

struct Fragment {
  FragmentType type;
  std::string_view bytes;
};

// The fragment that begins at the front of `from`, if it is whole.
std::optional<Fragment> fragment_at(std::string_view from) {
  if (from.size() < kFragmentHeaderBytes) return {};
  const auto type = static_cast<std::uint8_t>(from[6]);
  const std::size_t length = read_little_endian<std::uint16_t>(from.substr(4));
  if (type < static_cast<std::uint8_t>(FragmentType::kFull)) return {};
  if (type > static_cast<std::uint8_t>(FragmentType::kLast)) return {};
  if (length > from.size() - kFragmentHeaderBytes) return {};
  if (read_little_endian<std::uint32_t>(from) != masked_crc(from.substr(6, 1 + length))) return {};
  return Fragment{static_cast<FragmentType>(type), from.substr(kFragmentHeaderBytes, length)};
}

// Follows the records of all logs of a store, oldest log first. With `behind` it goes on after the first
// damage and puts there what it finds.
class LogWalk {
 public:
  explicit LogWalk(std::vector<std::string>* behind = nullptr) : behind_(behind) {}
  void begin_file(std::string name) {
    file_ = std::move(name);
    block_at_ = 0;
    damaged_at_.reset();
    open_record_.reset();
    is_first_record_ = true;
  }

  Result<void> block(std::string_view block) {
    std::size_t at = 0;
    while (block.size() - at >= kFragmentHeaderBytes) {
      const auto fragment = fragment_at(block.substr(at));
      if (fragment) {
        NJ_CHECK(take(*fragment, block_at_ + at));
        at += kFragmentHeaderBytes + fragment->bytes.size();
      } else {
        // The length may be what is damaged, so the next fragment can begin anywhere.
        note_damage(block_at_ + at);
        ++at;
      }
    }
    block_at_ += block.size();
    return {};
  }

 private:
  void note_damage(std::uint64_t at) {
    if (!damaged_at_) damaged_at_ = open_record_ ? open_record_->at : at;
    open_record_.reset();
  }

  Result<void> take(const Fragment& fragment, std::uint64_t at) {
    const bool begins = fragment.type == FragmentType::kFull || fragment.type == FragmentType::kFirst;
    if (begins == open_record_.has_value()) note_damage(at);
    if (begins) open_record_ = OpenRecord{.at = at};
    if (!open_record_) return {};  // the rest of a record whose beginning is damaged
    std::string& contents = open_record_->contents;
    // Where damage is only looked for, the beginning is enough.
    const std::size_t wanted =
        behind_ != nullptr ? fragment.bytes.size() : kRecordHeaderBytes - contents.size();
    contents += fragment.bytes.substr(0, wanted);
    if (fragment.type != FragmentType::kFull && fragment.type != FragmentType::kLast) return {};
    OpenRecord whole = std::move(*open_record_);
    open_record_.reset();
    auto judged = is_behind_ ? Result<void>{} : record(whole.contents);
    if (behind_ == nullptr) return judged;
    is_behind_ |= !judged;
    if (is_behind_ && whole.contents.size() >= kRecordHeaderBytes)
      behind_->push_back(std::move(whole.contents));
    return {};
  }

  Result<void> record(std::string_view header) {
    if (header.size() < kRecordHeaderBytes) return {};  // none of RocksDB's batches
    const auto sequence = read_little_endian<std::uint64_t>(header);
    const auto count = read_little_endian<std::uint32_t>(header.substr(8));
    if (next_ && sequence < *next_) return {};  // an old one, from before the file had its present use
    if (damaged_at_) {
      return fail(fmt::format("{} is damaged at byte {}, and what was written after that is still there",
                              file_, *damaged_at_));
    }
    if (next_ && sequence > *next_) {
      const std::string_view where = is_first_record_ ? "before the beginning of" : "in the middle of";
      return fail(fmt::format("{} changes are missing {} {}", sequence - *next_, where, file_));
    }
    next_ = sequence + count;
    is_first_record_ = false;
    return {};
  }

  struct OpenRecord {
    std::uint64_t at = 0;
    std::string contents = {};  // or their first bytes
  };

  std::string file_;
  std::uint64_t block_at_ = 0;
  std::optional<std::uint64_t> damaged_at_;  // in this file
  std::optional<OpenRecord> open_record_;
  std::optional<std::uint64_t> next_;  // sequence number that follows
  bool is_first_record_ = true;
  std::vector<std::string>* const behind_;
  bool is_behind_ = false;
};

Result<void> walk_file(rocksdb::Env& env, const std::filesystem::path& path, LogWalk& walk) {
  const auto unreadable = [&path](const rocksdb::Status& status) {
    return fail(fmt::format("cannot read {}: {}", path.string(), status.ToString()));
  };
  std::unique_ptr<rocksdb::SequentialFile> file;
  if (const auto opened = env.NewSequentialFile(path.string(), &file, {}); !opened.ok())
    return unreadable(opened);
  walk.begin_file(path.filename().string());
  std::array<char, kBlockBytes> block;
  while (true) {
    std::size_t filled = 0;
    while (filled < block.size()) {
      rocksdb::Slice got;
      const auto read = file->Read(block.size() - filled, &got, block.data() + filled);
      if (!read.ok()) return unreadable(read);
      if (got.empty()) break;
      if (got.data() != block.data() + filled) std::memmove(block.data() + filled, got.data(), got.size());
      filled += got.size();
    }
    NJ_CHECK(walk.block({block.data(), filled}));
    if (filled < block.size()) return {};
  }
}

// "000012.log" is 12, by which logs are ordered.
std::optional<std::uint64_t> log_number(std::string_view name) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (error != std::errc{} || std::string_view(end, name.data() + name.size()) != ".log") return {};
  return number;
}

Result<void> walk_logs(rocksdb::Env& env, const std::filesystem::path& directory, std::uint64_t first_log,
                       LogWalk& walk) {
  std::vector<std::string> names;
  if (const auto listed = env.GetChildren(directory.string(), &names); !listed.ok()) {
    return fail(fmt::format("cannot read {}: {}", directory.string(), listed.ToString()));
  }
  std::map<std::uint64_t, std::string> logs;
  for (const std::string& name : names) {
    const auto number = log_number(name);
    if (number && *number >= first_log) logs.emplace(*number, name);
  }
  for (const auto& [number, name] : logs) NJ_CHECK(walk_file(env, directory / name, walk));
  return {};
}

}  // namespace

std::uint64_t first_log_of(rocksdb::DB& database, std::uint64_t first_of_tables) {
  std::uint64_t kept_from = 0;
  database.GetIntProperty(rocksdb::DB::Properties::kMinLogNumberToKeep, &kept_from);
  return std::max(first_of_tables, kept_from);
}

Result<void> check_wal(rocksdb::Env& env, const std::filesystem::path& directory, std::uint64_t first_log) {
  LogWalk walk;
  return walk_logs(env, directory, first_log, walk);
}

Result<std::vector<std::string>> records_behind_damage(rocksdb::Env& env,
                                                       const std::filesystem::path& directory,
                                                       std::uint64_t first_log) {
  std::vector<std::string> behind;
  LogWalk walk(&behind);
  NJ_CHECK(walk_logs(env, directory, first_log, walk));
  return behind;
}

}  // namespace nightjar::store
