// Makes a node's sessions, shared groups and retained messages again out of the store's tables, before the
// workers start: rows come in the order of their keys, table after table. One thread, which may then act as
// every worker.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "broker/durable/records.h"
#include "broker/policy.h"

namespace nightjar::broker {

class Node;
class Session;
class SharedGroup;
class Worker;
struct WorkerState;

// What came back, and what did not.
struct Restored {
  std::uint64_t sessions = 0;
  std::uint64_t subscriptions = 0;
  std::uint64_t messages = 0;  // in queues and in flight
  std::uint64_t retained = 0;
  std::uint64_t wills = 0;
  std::uint64_t unreadable = 0;  // rows that no broker of this format wrote
  std::string first_unreadable;  // where, for the log
};

class Restore {
 public:
  // `listeners`: the policies that sessions refer to by name, the first for those that are not there any
  // more; they outlive the node. `workers`: all of them, in order.
  Restore(Node& node, std::span<Worker* const> workers, std::span<const ListenerPolicy* const> listeners);
  ~Restore();

  // In this order: all rows of kSessions; those of kMeta from begin_of_stretches() on; those of kQueues that
  // rows_to_read() names; all of kRetained; then finish().
  void session_row(std::string_view key, std::string_view value);
  static std::string begin_of_stretches() { return std::string(1, kStretchKind); }
  // False: the rest of the table is about something else.
  bool meta_row(std::string_view key, std::string_view value);
  // From, and up to without. Of a long queue only what is in flight; the rest stays where it is.
  std::vector<std::pair<std::string, std::string>> rows_to_read();
  void queue_row(std::string_view key, std::string_view value);
  void retained_row(std::string_view topic, std::string_view value);
  // Starts the time of what was interrupted. `changes`: what the store must learn before the workers start.
  Restored finish(Changes& changes);

 private:
  struct Stretch {
    std::uint64_t first = 0;
    StretchRecord record;
  };
  struct Kept {
    Session* session = nullptr;
    SharedGroup* group = nullptr;
    PacketIdsRecord ids;
    GroupRecord group_record;
    bool was_connected = false;
    QueueName queue;
    std::vector<Stretch> stretches;
    std::size_t first_spilled = 0;  // of `stretches`; those from here on stay with the store
  };
  struct Group {
    QueueId queue = 0;
    GroupRecord record;
    bool has_member = false;
  };

  WorkerState& owner(ShardId shard);
  const ListenerPolicy& policy_of(std::string_view listener) const;
  bool put_session(const SessionKey& key, std::string_view value);
  bool put_packet_ids(std::string_view value);
  bool put_subscription(const SessionKey& key, std::string_view value);
  bool put_will(std::string_view value);
  bool put_group_row(const SessionKey& key, std::string_view value);
  void make_groups();
  void choose_rows(Kept& kept);
  void spill_rest(Kept& kept);
  static void put_rows(Kept& kept);
  void put_entry(Kept& kept, std::uint64_t row, QueueEntry entry);
  void put_waiting(Session& session, QueueEntry entry);
  std::vector<mqtt::PacketId> give_lost_ids(Session& session);
  void finish_queue();
  void put_in_flight(Session& session, const PacketIdsRecord::Sent& sent, QueueEntry entry);
  void start_time(Kept& kept, Changes& changes);
  void note_unreadable(std::string_view table, std::string_view key);

  Node& node_;
  std::vector<Worker*> workers_;
  std::vector<const ListenerPolicy*> listeners_;
  Restored found_;
  Kept* present_ = nullptr;  // the session whose rows come
  std::string present_client_;
  boost::unordered_flat_map<QueueId, std::unique_ptr<Kept>> kept_;
  std::map<std::string, Group, std::less<>> groups_;  // by text
  bool has_groups_ = false;
  // The queue whose rows come, and what of its session was sent, by sequence.
  QueueId queue_ = 0;
  Kept* queue_of_ = nullptr;
  std::map<std::uint64_t, PacketIdsRecord::Sent> sent_;
  std::map<std::uint64_t, QueueEntry> in_flight_;
  std::vector<QueueEntry> waiting_;
  std::uint64_t last_sequence_ = 0;
  QueueId garbage_queue_ = 0;
  Changes garbage_;
};

}  // namespace nightjar::broker
