// Moving a shard from one worker to another while clients talk: nothing lost, doubled or reordered (rules:
// 12).
//
//   old owner X            everybody else W          new owner Y
//   set_owner(shard, Y)
//   kArrives ──────────────────────────────────────►  installs sessions, connections, groups; adds its
//   filters to kMark ───────────────► kMarkSeen ──────────────►  the tree; begins a version: from it on, W
//   sends to Y
//                          kFence ◄──── kFenceRequest
//   kFence ◄──────────────
//   (until then X forwards to Y what was matched before that version)
//   kFencesComplete ───────────────────────────────►  releases what it held, reads the clients again
//
// Y holds direct deliveries, mail and client input until all of X's forwarded deliveries lie before them
// (fences) and all that X had sent to others has arrived there (marks). Lives on one worker.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "broker/connection.h"
#include "broker/ids.h"
#include "broker/mail.h"

namespace nightjar::broker {

class Connection;
class Session;
class SharedGroup;
struct WorkerState;

// All that a worker holds for one shard.
struct ShardState {
  ShardState();
  ~ShardState();
  std::vector<std::unique_ptr<Session>> sessions;
  std::vector<std::unique_ptr<Connection>> connections;
  std::vector<std::unique_ptr<SharedGroup>> groups;
};

class ShardMoves {
 public:
  ShardMoves(std::uint16_t shards, WorkerIndex self) : status_(shards, Status::kElsewhere), self_(self) {}

  void set_ready(ShardId shard) { set_status(shard, Status::kReady); }
  [[nodiscard]] bool is_ready(ShardId shard) const { return status_[shard.value] == Status::kReady; }
  // Some shard is here or on its way to here.
  [[nodiscard]] bool owns_any() const { return owned_ != 0; }
  // No move is under way on this worker.
  [[nodiscard]] bool is_idle() const { return departing_.empty() && arriving_.empty(); }

  // Gives the shard to another worker. False if this worker does not own it, or not completely yet.
  bool start(WorkerState& worker, ShardId shard, WorkerIndex to);
  void on_mail(WorkerState& worker, ShardMail mail);

  // Old owner: sends on what is for subscriptions that have left.
  void forward_departed(WorkerState& worker, const DeliverMail& mail, std::span<const FilterId> filters);
  // New owner: keeps a direct delivery until the shard is ready, once per message (WorkerState::route_mark).
  void hold(WorkerState& worker, ShardId shard, const DeliverMail& mail, std::span<const FilterId> filters);
  // True if the mail was sent on or held; otherwise it is for this worker, now.
  bool redirect(WorkerState& worker, AddressedMail& mail);

 private:
  enum class Status : std::uint8_t { kElsewhere, kArriving, kReady };
  struct Departing {
    WorkerIndex to;
    boost::unordered_flat_map<FilterId, std::string> filters;
    std::uint32_t fences_missing = 0;
    int stored = 0;  // sessions and groups that are kept
  };
  struct Held {
    std::uint64_t mark;
    DeliverMail mail;
    std::vector<FilterId> filters;
    std::shared_ptr<Commit> commit;  // kept open until it is delivered
  };
  struct HeldMail {
    AddressedMail mail;
    std::shared_ptr<Commit> commit;
  };
  struct Arriving {
    bool has_state = false;
    bool has_fences = false;
    std::uint32_t marks_missing = 0;
    std::vector<Held> deliveries;
    std::vector<HeldMail> mail;
    // The commit that follows those of the old owner. Nothing that is changed here becomes durable before
    // them; to wait for them would not do, for they may wait for mail that is held here.
    CommitNumber after = 0;
  };

  void pack_sessions(WorkerState& worker, ShardId shard, ShardState& state, Departing& departing);
  void pack_groups(WorkerState& worker, ShardId shard, ShardState& state, Departing& departing);
  void install(WorkerState& worker, ShardMail mail);
  void complete_if_ready(WorkerState& worker, ShardId shard);
  void complete_departure(WorkerState& worker, ShardId shard);
  // The fences are in: the new owner may have it.
  void release(WorkerState& worker, ShardId shard);

  void set_status(ShardId shard, Status status) {
    Status& present = status_[shard.value];
    owned_ += (status != Status::kElsewhere ? 1 : 0) - (present != Status::kElsewhere ? 1 : 0);
    present = status;
  }

  std::vector<Status> status_;
  int owned_ = 0;
  WorkerIndex self_;
  boost::unordered_flat_map<ShardId, Departing> departing_;
  boost::unordered_flat_map<ShardId, Arriving> arriving_;
};

}  // namespace nightjar::broker
