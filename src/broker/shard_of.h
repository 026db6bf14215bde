// Which shard a client id or a shared group belongs to. Pure, and the same on every machine and in every
// build: what is stored lies under its shard. `shards` is a power of two.
#pragma once

#include <cstdint>
#include <string_view>

#include "broker/ids.h"

namespace nightjar::broker {

// FNV-1a.
constexpr std::uint64_t stable_hash(std::string_view text, std::uint64_t seed = 0xcbf29ce484222325U) {
  for (const char c : text) seed = (seed ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  return seed;
}

// The low bits of FNV are weak for short texts, so they are spread first.
constexpr ShardId shard_of_hash(std::uint64_t h, std::uint16_t shards) {
  h ^= h >> 33;
  h *= 0xff51afd7ed558ccdU;
  h ^= h >> 33;
  return {static_cast<std::uint16_t>(h & (shards - 1U))};
}

constexpr ShardId shard_of(std::string_view client_id, std::uint16_t shards) {
  return shard_of_hash(stable_hash(client_id), shards);
}

constexpr ShardId shard_of_group(std::string_view share_name, std::string_view filter, std::uint16_t shards) {
  return shard_of_hash(stable_hash(filter, stable_hash("/", stable_hash(share_name))), shards);
}

}  // namespace nightjar::broker
