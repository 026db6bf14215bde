// A fast 64-bit hash of bytes for tables in memory. Whoever does not know the key cannot choose colliding
// inputs. The value may change between releases: never store it, never send it. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace nightjar {
namespace keyed_hash_detail {

__extension__ using Wide = unsigned __int128;

inline std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}
inline std::uint64_t load64(const char* at) {
  std::uint64_t value;
  std::memcpy(&value, at, sizeof value);
  return value;
}
inline std::uint64_t load32(const char* at) {
  std::uint32_t value;
  std::memcpy(&value, at, sizeof value);
  return value;
}
// One to three bytes, each of them counted at least once.
inline std::uint64_t load_few(const char* at, std::size_t size) {
  const auto byte = [&](std::size_t i) { return std::uint64_t{static_cast<unsigned char>(at[i])}; };
  return byte(0) << 16 | byte(size / 2) << 8 | byte(size - 1);
}

}  // namespace keyed_hash_detail

inline std::uint64_t keyed_hash(std::string_view text, std::uint64_t key) {
  using namespace keyed_hash_detail;
  // Odd constants with balanced bits; both factors of every product depend on the key, so that no input makes
  // one of them zero except by guessing it.
  std::uint64_t left = mix(key ^ 0x9e3779b97f4a7c15u, 0xd1b54a32d192ed03u);
  std::uint64_t right = mix(key ^ 0x8cb92ba72f3d8dd7u, 0xaef17502108ef2d9u);
  const char* at = text.data();
  std::size_t size = text.size();
  for (; size > 16; size -= 16, at += 16) {
    left = mix(load64(at) ^ left, load64(at + 8) ^ right);
  }
  std::uint64_t a = 0;
  std::uint64_t b = 0;
  if (size >= 8) {
    a = load64(at);
    b = load64(at + size - 8);
  } else if (size >= 4) {
    a = load32(at);
    b = load32(at + size - 4);
  } else if (size > 0) {
    a = load_few(at, size);
  }
  return mix(mix(a ^ left, b ^ right) ^ text.size(), right | 1);
}

// For tables of Boost whose keys come from outside.
struct KeyedHash {
  using is_avalanching = void;
  std::uint64_t key;
  std::uint64_t operator()(std::string_view text) const { return keyed_hash(text, key); }
};

}  // namespace nightjar
