#include "broker/node.h"

#include "broker/shard_of.h"

namespace nightjar::broker {

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
  return broker::shard_of(client_id, policy_.shards);
}

ShardId Node::shard_of_group(std::string_view share_name, std::string_view filter) const {
  return broker::shard_of_group(share_name, filter, policy_.shards);
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
