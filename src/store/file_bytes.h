// How RocksDB writes numbers and checksums into its files. Pure.
#pragma once

#include <rocksdb/file_checksum.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace nightjar::store {

template <typename Number>
Number read_little_endian(std::string_view from) {
  Number number = 0;
  for (std::size_t i = sizeof(Number); i-- != 0;) {
    number = static_cast<Number>((number << 8) | static_cast<std::uint8_t>(from[i]));
  }
  return number;
}

// RocksDB's own CRC-32C, which uses the processor's instruction.
inline std::uint32_t masked_crc(std::string_view bytes) {
  static const auto kFactory = rocksdb::GetFileChecksumGenCrc32cFactory();
  const auto generator = kFactory->CreateFileChecksumGenerator({});
  generator->Update(bytes.data(), bytes.size());
  generator->Finalize();
  std::string big_endian = generator->GetChecksum();
  std::reverse(big_endian.begin(), big_endian.end());
  const auto crc = read_little_endian<std::uint32_t>(big_endian);
  return ((crc >> 15) | (crc << 17)) + 0xa282ead8U;
}

}  // namespace nightjar::store
