// Near its end a table file has a list of its special blocks, each a name and where it lies: begin and size,
// seven bits a byte, lowest first. Behind each block stand its compression (1) and its checksum (4,
// little-endian).
#include "store/mend_properties.h"

#include <fmt/format.h>

#include <charconv>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

#include "broker/durable/encoding.h"

namespace nightjar::store {
namespace {

constexpr std::string_view kListed = "rocksdb.properties";
constexpr std::string_view kComputed = "computed = ";

constexpr std::string_view kBlockEnd{"\0\0\0\0\1\0\0\0", 8};

std::optional<std::map<std::string, std::string>> read_properties(std::string_view block) {
  if (!block.ends_with(kBlockEnd)) return {};
  broker::RecordReader reader(block.substr(0, block.size() - kBlockEnd.size()));
  std::map<std::string, std::string> properties;
  std::string key;
  while (reader.is_good() && !reader.at_end()) {
    const std::uint64_t same = reader.number();
    const std::uint64_t further = reader.number();
    const std::uint64_t value = reader.number();
    const std::string_view rest = reader.rest();
    if (same > key.size() || further > rest.size() || value > rest.size() - further) return {};
    const std::string next = key.substr(0, same) + std::string(rest.substr(0, further));
    if (next <= key) return {};
    key = next;
    properties[key] = rest.substr(further, value);
    reader = broker::RecordReader(rest.substr(further + value));
  }
  return reader.is_good() ? std::optional(std::move(properties)) : std::nullopt;
}

// RocksDB trusts what has the right checksum: those by which it reads the rest must be as this program writes
// them.
bool may_be_trusted(std::string_view block) {
  const auto properties = read_properties(block);
  if (!properties) return false;
  const auto is = [&properties](const std::string& name, std::string_view value) {
    const auto found = properties->find(name);
    return found != properties->end() && found->second == value;
  };
  using namespace std::string_view_literals;
  return is("rocksdb.comparator", "leveldb.BytewiseComparator") &&
         is("rocksdb.index.value.is.delta.encoded", "\1"sv) &&
         is("rocksdb.block.based.table.index.type", "\0\0\0\0"sv) &&
         (is("rocksdb.index.key.is.user.key", "\0"sv) || is("rocksdb.index.key.is.user.key", "\1"sv));
}

// RocksDB names the checksum that would be right.
std::optional<std::uint32_t> computed_in(std::string_view refusal) {
  const auto at = refusal.find(kComputed);
  if (at == std::string_view::npos) return {};
  const std::string_view digits = refusal.substr(at + kComputed.size());
  std::uint32_t number = 0;
  if (std::from_chars(digits.data(), digits.data() + digits.size(), number).ec != std::errc{}) return {};
  return number;
}

}  // namespace

bool mend_properties(const std::filesystem::path& file, const std::string& refusal) {
  std::ifstream in(file, std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(in), {}};
  const auto listed = bytes.rfind(kListed);
  const auto checksum = computed_in(refusal);
  if (listed == std::string::npos || !checksum) return false;
  broker::RecordReader reader(std::string_view(bytes).substr(listed + kListed.size()));
  const std::uint64_t begin = reader.number();
  const std::uint64_t size = reader.number();
  if (!reader.is_good() || begin > bytes.size() || size > bytes.size() || begin + size + 5 > bytes.size())
    return false;
  // A damaged index or damaged erasures must not pass for good ones.
  if (refusal.find(fmt::format(" offset {} size {}", begin, size)) == std::string::npos) return false;
  const bool is_compressed = bytes[begin + size] != 0;
  if (is_compressed || !may_be_trusted(std::string_view(bytes).substr(begin, size))) return false;
  for (unsigned i = 0; i < 4; ++i) bytes[begin + size + 1 + i] = static_cast<char>(*checksum >> (8 * i));
  // The file may be a link to one that must stay as it is.
  const std::filesystem::path mended = file.string() + ".mended";
  std::ofstream out(mended, std::ios::binary);
  if (!out.write(bytes.data(), static_cast<std::streamsize>(bytes.size())).flush()) return false;
  std::error_code error;
  std::filesystem::rename(mended, file, error);
  return !error;
}

}  // namespace nightjar::store
