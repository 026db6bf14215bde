// What the workers of one node share: the ports, the policy, the subscription tree, the retained messages,
// the map from shards to workers. Made before the workers and outliving them; its methods say who may call
// them.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "broker/connection_counts.h"
#include "broker/durable/records.h"
#include "broker/ids.h"
#include "broker/policy.h"
#include "broker/ports.h"
#include "broker/retained/retained_messages.h"
#include "broker/routing/subscription_tree.h"

namespace nightjar::broker {

class Node {
 public:
  // `workers` from 1 to kWorkersMax.
  Node(const NodePolicy& policy, const Ports& ports, std::uint16_t workers);

  // Any thread. Stays as it is, and alive, when another one takes its place.
  [[nodiscard]] const NodePolicy& policy() const { return *policy_.load(std::memory_order_acquire); }
  // By one thread at a time. Shards, placement and whether publishers await reports stay as they were made;
  // `policy` says the same of them.
  void change_policy(const NodePolicy& policy);
  [[nodiscard]] const Ports& ports() const { return ports_; }
  [[nodiscard]] std::uint16_t worker_count() const { return workers_; }

  // Any thread.
  [[nodiscard]] ShardId shard_of(std::string_view client_id) const;
  [[nodiscard]] ShardId shard_of_group(std::string_view share_name, std::string_view filter) const;
  [[nodiscard]] WorkerIndex owner_of(ShardId shard) const {
    return {owners_[shard.value].load(std::memory_order_acquire)};
  }
  // By the worker that hands the shard over, only.
  void set_owner(ShardId shard, WorkerIndex worker) {
    owners_[shard.value].store(worker.value, std::memory_order_release);
  }
  // How many messages the shards received and were delivered while `worker` owned them, by shard. The worker
  // counts, anybody reads; the numbers wrap.
  [[nodiscard]] std::atomic<std::uint32_t>* work_of(WorkerIndex worker) { return work_[worker.value].get(); }
  // What a move of the shard has to carry: its sessions and their subscriptions, in units of a subscription.
  // By the worker that owns the shard; anybody reads.
  void count_weight(ShardId shard, int change) {
    weights_[shard.value].fetch_add(static_cast<std::uint32_t>(change), std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint32_t weight_of(ShardId shard) const {
    return weights_[shard.value].load(std::memory_order_relaxed);
  }
  // A session costs a move as much as this many subscriptions: its connection, its timers.
  static constexpr int kSessionWeight = 4;
  // The last time that a client published, to a hundredth of a second. Any worker.
  void note_publish(MonoTime now) {
    constexpr std::int64_t kCloseEnoughMs = 10;
    const std::int64_t known = last_publish_ms_.load(std::memory_order_relaxed);
    if (now.ms >= known + kCloseEnoughMs) last_publish_ms_.store(now.ms, std::memory_order_relaxed);
  }
  [[nodiscard]] MonoTime last_publish() const { return {last_publish_ms_.load(std::memory_order_relaxed)}; }
  // Orders CONNECTs of one client id that arrive on different workers. Any thread.
  std::uint64_t next_ordinal() { return ordinal_.fetch_add(1, std::memory_order_relaxed) + 1; }

  // True if publishers must hear from every target before they are acknowledged: some queue may refuse them.
  [[nodiscard]] bool awaits_reports() const { return policy().refuses_when_full; }

  // ---- what is kept ----

  // Before the workers start: the run of the broker, counted over restarts, and its clock against the
  // store's.
  void begin_run(std::uint64_t incarnation, StoreClock clock) {
    incarnation_ = incarnation;
    store_clock_ = clock;
  }
  [[nodiscard]] std::uint64_t incarnation() const { return incarnation_; }
  [[nodiscard]] const StoreClock& store_clock() const { return store_clock_; }
  // Any worker.
  QueueId next_queue_id() {
    constexpr unsigned kBitsPerRun = 40;
    return (incarnation_ << kBitsPerRun) + queues_.fetch_add(1, std::memory_order_relaxed);
  }
  // Sessions and groups that `worker` keeps; counted before their filters are in the tree.
  void count_stored(WorkerIndex worker, int change) {
    stored_[worker.value].fetch_add(change, std::memory_order_relaxed);
  }
  // A message that was matched for `worker` may have to be stored there.
  [[nodiscard]] bool has_stored(WorkerIndex worker) const {
    return stored_[worker.value].load(std::memory_order_relaxed) != 0;
  }
  [[nodiscard]] RetainedReader retained_reader();

  // Sessions, connected or kept, over all workers.
  std::atomic<std::int64_t>& sessions() { return sessions_; }
  ConnectionCounts& connections() { return connections_; }

  // Bytes held for connections without an accepted CONNECT, over all workers.
  std::atomic<std::int64_t>& stranger_bytes() { return stranger_bytes_; }

  // Bytes of clients' packets that have arrived in part, over all workers.
  std::atomic<std::int64_t>& unfinished_bytes() { return unfinished_bytes_; }

  SubscriptionTree& tree() { return tree_; }
  RetainedMessages& retained() { return retained_; }

 private:
  std::vector<std::unique_ptr<const NodePolicy>> policies_;  // the last one is in force
  std::atomic<const NodePolicy*> policy_;
  Ports ports_;
  std::uint16_t workers_;
  std::vector<std::atomic<std::uint16_t>> owners_;
  std::vector<std::atomic<std::uint32_t>> weights_;
  std::vector<std::unique_ptr<std::atomic<std::uint32_t>[]>> work_;  // by worker: nobody shares a line
  std::uint64_t incarnation_ = 1;
  StoreClock store_clock_;
  std::atomic<std::uint64_t> queues_{1};
  std::vector<std::atomic<std::int64_t>> stored_;
  std::atomic<std::uint64_t> ordinal_{0};
  std::atomic<std::int64_t> last_publish_ms_{INT64_MIN / 2};  // never
  std::atomic<std::int64_t> sessions_{0};
  ConnectionCounts connections_;
  std::atomic<std::int64_t> stranger_bytes_{0};
  std::atomic<std::int64_t> unfinished_bytes_{0};
  SubscriptionTree tree_;
  RetainedMessages retained_;
};

}  // namespace nightjar::broker
