// Reads the rows of a store as a start of the broker would, and says in words what is wrong, whose it is and
// what hangs on it; counts what is there. Pure; one thread.
#pragma once

#include <array>
#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "broker/durable/changes.h"
#include "broker/durable/queue_view.h"
#include "broker/durable/records.h"

namespace nightjar::broker {

struct Finding {
  std::string what;    // the thing, and whose it is
  std::string why;     // what is wrong with it
  std::string effect;  // what is lost, or comes twice
};

// Rows of one table that could not be read.
struct UnreadRows {
  std::optional<std::string> after;   // the last key that was read before them; none: from the beginning
  std::optional<std::string> before;  // the first one behind them; none: to the end
  std::optional<std::string> key;     // it is this one, nothing else
  std::string why;
};

struct QueueTally {
  std::string owner;  // `client "a"`, `shared group "$share/g/a"`
  std::uint64_t messages = 0;
  std::uint64_t bytes = 0;  // topics, properties and payloads
};

struct Inventory {
  std::uint64_t runs = 0;
  std::uint16_t shards = 0;
  std::uint64_t sessions = 0;
  std::uint64_t subscriptions = 0;
  std::uint64_t wills = 0;
  std::uint64_t groups = 0;
  std::uint64_t messages = 0;  // that wait or are in flight
  std::uint64_t message_bytes = 0;
  std::uint64_t retained = 0;
  std::uint64_t retained_bytes = 0;
  std::vector<QueueTally> largest_queues;  // by bytes, ten at most
  // Left over when a session or group ended at the wrong moment; the next start erases them.
  std::uint64_t leftover_queues = 0;
  std::uint64_t leftover_rows = 0;
  std::uint64_t leftover_groups = 0;
};

// The configuration knows how many shards there are; a store only shows where its sessions lie.
class ShardCount {
 public:
  void add(std::string_view session_key);
  // The number that fits most sessions; the usual one if it is among several.
  [[nodiscard]] std::uint16_t best() const;

 private:
  static constexpr std::size_t kChoices = 13;  // 1, 2, 4, …, 4096
  std::array<std::uint64_t, kChoices> fitting_{};
};

class Audit {
 public:
  explicit Audit(std::uint16_t shards);
  ~Audit();

  // All rows of kMeta, then of kSessions, kQueues, kRetained, each in the order of the keys. False: the row
  // is of no use, and a start of the broker would stop at it.
  bool row(Table table, std::string_view key, std::string_view value);
  // In its place among the rows.
  void unread(Table table, const UnreadRows& rows);
  // After all rows: changes that were durable once and are not in the tables.
  void lost(const Changes& changes, std::string why);

  // After everything. What the store must learn, beside the rows that are of use, so that a broker starts
  // from it.
  std::vector<Finding> finish(Inventory& inventory, Changes& mending);

 private:
  struct Owner;
  struct BrokenSession;
  struct LostRows {
    QueueId queue = 0;
    std::uint64_t first = 0;
    std::uint64_t count = 0;
    std::string why;
    std::optional<std::uint64_t> open;  // a row whose end is not known yet
    std::uint64_t messages_max = 0;     // in the others
  };
  void end_lost_row(const QueueKey& next);

  bool meta_row(std::string_view key, std::string_view value);
  bool session_row(std::string_view key, std::string_view value);
  bool header(const SessionKey& key, std::string_view value);
  bool detail(const SessionKey& key, std::string_view value);
  bool group_row(const SessionKey& key, std::string_view value);
  bool queue_row(std::string_view key, std::string_view value);
  bool retained_row(std::string_view topic, std::string_view value);

  void break_session(const SessionKey& key, std::string why);
  void finish_session();
  void begin_queue(const QueueName& queue);
  void finish_lost_rows();
  void finish_gap(std::optional<std::uint64_t> next_sequence);
  [[nodiscard]] bool is_in_queue(const UnreadRows& rows) const;
  void unread_range(Table table, const UnreadRows& rows);
  void saw(MonoTime time);
  [[nodiscard]] std::string owner_of(QueueId queue) const;
  [[nodiscard]] std::string owners_between(const UnreadRows& rows) const;
  void mend(Changes& mending);
  bool find(std::string what, std::string why, std::string effect);

  const StoreClock clock_{};  // the store's own
  std::vector<Finding> findings_;
  Inventory seen_;

  bool has_run_ = false;
  bool has_time_ = false;
  std::uint64_t last_run_ = 0;
  MonoTime latest_{};

  // The session or group whose rows come.
  Owner* present_ = nullptr;
  std::string present_name_;
  std::optional<GroupRecord> present_group_;
  std::unique_ptr<BrokenSession> broken_;
  boost::unordered_flat_map<QueueId, std::unique_ptr<Owner>> owners_;
  std::set<std::string, std::less<>> group_rows_;
  std::set<std::string, std::less<>> groups_with_members_;

  // The queue whose rows come.
  std::optional<QueueName> queue_;
  Owner* queue_owner_ = nullptr;
  std::uint64_t last_sequence_ = 0;
  std::optional<LostRows> lost_rows_;
  std::optional<Finding> gap_;  // within that queue; how much it held shows with the next row
};

}  // namespace nightjar::broker
