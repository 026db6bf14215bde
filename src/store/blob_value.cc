// All numbers of a record are little-endian, those of a reference have seven bits a byte, lowest first.
//
//   reference  1 (1) | number of the file | where the value begins in it | size of the value | compression
//   (1) record     size of the key (8) | size of the value (8) | expiration (8) |
//              masked CRC-32C of these 24 bytes (4) | masked CRC-32C of key and value (4) | key | value
#include "store/blob_value.h"

#include <fmt/format.h>

#include <cstdint>
#include <fstream>

#include "broker/durable/encoding.h"
#include "store/file_bytes.h"

namespace nightjar::store {
namespace {

constexpr std::uint8_t kInFile = 1;
constexpr std::uint8_t kUncompressed = 0;
constexpr std::size_t kRecordHeaderBytes = 32;
// More than any MQTT message with its topic; a damaged reference must not ask for all memory.
constexpr std::uint64_t kValueBytesMax = 512 * 1024 * 1024;

}  // namespace

std::optional<std::string> read_blob_value(const std::filesystem::path& directory, std::string_view key,
                                           std::string_view reference) {
  broker::RecordReader reader(reference);
  const std::uint8_t kind = reader.u8();
  const std::uint64_t number = reader.number();
  const std::uint64_t begin = reader.number();
  const std::uint64_t size = reader.number();
  const bool is_plain = reader.u8() == kUncompressed && kind == kInFile;
  const std::size_t before = kRecordHeaderBytes + key.size();
  if (!reader.is_good() || !reader.at_end() || !is_plain || begin < before || size > kValueBytesMax)
    return {};

  std::ifstream file(directory / fmt::format("{:06}.blob", number), std::ios::binary);
  std::string record(before + size, '\0');
  file.seekg(static_cast<std::streamoff>(begin - before));
  if (!file.read(record.data(), static_cast<std::streamsize>(record.size()))) return {};
  const std::string_view bytes{record};
  const bool is_whole =
      read_little_endian<std::uint64_t>(bytes) == key.size() &&
      read_little_endian<std::uint64_t>(bytes.substr(8)) == size &&
      read_little_endian<std::uint32_t>(bytes.substr(24)) == masked_crc(bytes.substr(0, 24)) &&
      read_little_endian<std::uint32_t>(bytes.substr(28)) == masked_crc(bytes.substr(kRecordHeaderBytes)) &&
      bytes.substr(kRecordHeaderBytes, key.size()) == key;
  if (!is_whole) return {};
  return std::string(bytes.substr(before));
}

}  // namespace nightjar::store
