#include "broker/node.h"

#include <algorithm>

#include "broker/shard_of.h"

namespace nightjar::broker {

namespace {

std::vector<std::unique_ptr<const NodePolicy>> one_policy(const NodePolicy& policy) {
  std::vector<std::unique_ptr<const NodePolicy>> policies;
  policies.push_back(std::make_unique<NodePolicy>(policy));
  return policies;
}

}  // namespace

Node::Node(const NodePolicy& policy, const Ports& ports, std::uint16_t workers)
    : policies_(one_policy(policy)),
      policy_(policies_.back().get()),
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
  return broker::shard_of(client_id, policy().shards);
}

ShardId Node::shard_of_group(std::string_view share_name, std::string_view filter) const {
  return broker::shard_of_group(share_name, filter, policy().shards);
}

void Node::change_policy(const NodePolicy& wanted) {
  auto next = std::make_unique<NodePolicy>(wanted);
  next->shards = policy().shards;
  next->placement = policy().placement;
  next->refuses_when_full = policy().refuses_when_full;
  retained_.set_limits(next->retained_messages_max, next->retained_bytes_max);
  // Nothing says when the last worker has stopped looking at one, so they stay; each is kept once.
  auto same =
      std::find_if(policies_.begin(), policies_.end(), [&](const auto& one) { return *one == *next; });
  if (same == policies_.end()) same = policies_.insert(same, std::move(next));
  policy_.store(same->get(), std::memory_order_release);
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
