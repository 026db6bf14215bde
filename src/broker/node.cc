#include "broker/node.h"

namespace nightjar::broker {
namespace {

// FNV-1a: stable across builds and machines, because the shard of a client id is for good.
std::uint64_t stable_hash(std::string_view text, std::uint64_t seed = 0xcbf29ce484222325U) {
  for (const char c : text) seed = (seed ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  return seed;
}

// The low bits of FNV are weak for short texts; this spreads them.
std::uint64_t mix(std::uint64_t h) {
  h ^= h >> 33;
  h *= 0xff51afd7ed558ccdU;
  h ^= h >> 33;
  return h;
}

}  // namespace

Node::Node(const NodePolicy& policy, const Ports& ports, std::uint16_t workers)
    : policy_(policy),
      ports_(ports),
      workers_(workers),
      owners_(policy.shards),
      weights_(policy.shards),
      stored_(workers),
      tree_(workers),
      retained_(policy.retained_messages_max, policy.retained_bytes_max) {
  const std::uint16_t starters = policy.placement == Placement::kAdaptive ? std::uint16_t{1} : workers;
  for (std::uint16_t shard = 0; shard < policy.shards; ++shard) {
    owners_[shard].store(static_cast<std::uint16_t>(shard % starters), std::memory_order_relaxed);
  }
  for (std::uint16_t i = 0; i < workers; ++i) {
    work_.emplace_back(new std::atomic<std::uint32_t>[policy.shards]());
  }
}

ShardId Node::shard_of(std::string_view client_id) const {
  return {static_cast<std::uint16_t>(mix(stable_hash(client_id)) & (policy_.shards - 1U))};
}

ShardId Node::shard_of_group(std::string_view share_name, std::string_view filter) const {
  const std::uint64_t hash = stable_hash(filter, stable_hash("/", stable_hash(share_name)));
  return {static_cast<std::uint16_t>(mix(hash) & (policy_.shards - 1U))};
}

RetainedReader Node::retained_reader() {
  return [this](std::string_view topic, ByteBuffer& value) {
    const MessageRef message = retained_.find(topic);
    if (!message) return false;
    std::string bytes;
    write_retained(*message, store_clock_, bytes);
    value.clear();
    value.append(bytes);
    return true;
  };
}

}  // namespace nightjar::broker
