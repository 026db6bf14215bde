// Everything that one worker owns, as one plain structure: the modules of the core are functions over it, one
// module a file. Single-threaded; see worker.h for the turn.
#pragma once

#include <atomic>
#include <boost/unordered/unordered_flat_map.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/timer_wheel.h"
#include "broker/connection.h"
#include "broker/counters.h"
#include "broker/drain.h"
#include "broker/durable/journal.h"
#include "broker/filter_steps.h"
#include "broker/ids.h"
#include "broker/mailer.h"
#include "broker/node.h"
#include "broker/retained/replay_share.h"
#include "broker/routing/local_subscribers.h"
#include "broker/routing/route_cache.h"
#include "broker/routing/shared_group.h"
#include "broker/session/receiver.h"
#include "broker/session/session.h"
#include "broker/session/session_table.h"
#include "broker/shard_move.h"
#include "broker/sys_topics.h"

namespace nightjar::broker {

class Worker;

struct WorkerState {
  WorkerState(Worker& face, Node& node, WorkerIndex index);
  ~WorkerState();

  [[nodiscard]] Ledger& ledger() { return counters.ledger; }
  [[nodiscard]] Session* find_session(std::string_view client_id) const {
    return sessions.find(node.shard_of(client_id), client_id);
  }
  SessionSerial next_session_serial() { return {++last_serial * kWorkersMax + index.value + 1U}; }
  std::uint64_t next_connection_serial() { return next_session_serial().value; }
  // A message came from, or goes to, a session of this shard.
  void count_work(ShardId shard) {
    std::atomic<std::uint32_t>& counter = work[shard.value];
    counter.store(counter.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
  // What is for this shard may be done at once: it is here, and no mail is on its way that would come first.
  [[nodiscard]] bool is_at_hand(ShardId shard) const {
    return node.owner_of(shard) == index && !mailer.has_own() && !is_taking_older_mail && moves.is_idle() &&
           moves.is_ready(shard);
  }
  // The session has something to send; looked at once at the end of the turn.
  void pump_later(Session& session) {
    if (session.is_to_pump) return;
    session.is_to_pump = true;
    to_pump.push_back(&session);
  }
  // The same as soon as the replays have a new share of the worker's time.
  void pump_with_next_share(Session& session) {
    if (session.is_to_pump) return;
    session.is_to_pump = true;
    to_replay.push_back(&session);
  }
  void forget_pump(Session& session);
  [[nodiscard]] MonoTime next_replay() const;

  Worker& face;
  Node& node;
  const WorkerIndex index;
  std::atomic<std::uint32_t>* const work;  // Node::work_of
  MonoTime now{};
  TimerWheel timers;  // before everything that holds timers
  Counters counters;
  Journal journal;
  Mailer mailer;
  LocalSubscribers subscribers;
  RouteCache routes;
  SharedGroups groups;
  ShardMoves moves;
  std::vector<std::unique_ptr<Connection>> connections;
  boost::unordered_flat_map<std::uint64_t, Connection*>
      connections_by_serial;                      // filled while reports are awaited
  std::vector<std::unique_ptr<Connection>> dead;  // closed this turn
  SessionTable sessions;
  // Connections to close when the present message is through, with the reason.
  struct Closing {
    Connection* connection;
    mqtt::ReasonCode code;
    std::string_view why;
  };
  std::vector<Closing> to_close;
  std::vector<Session*> to_pump;
  std::vector<Session*> to_replay;
  ReplayShare replay_share;
  std::uint64_t publishes_noted = 0;  // of counters.publish_received
  bool is_taking_older_mail = false;  // what is left of it comes first
  std::vector<Connection*> to_resume;
  FilterSteps filter_steps_left = kFilterStepsPerTurn;  // for packets that come this turn
  std::int64_t retained_visits_left = kRetainedVisitsPerTurn;
  std::vector<Connection*> filter_workers;               // have a filter_work, next one first
  std::vector<std::unique_ptr<Session>> ended_sessions;  // still in the tables; see lifecycle.h
  Drain drain;
  std::uint64_t last_serial = 0;
  std::uint64_t route_mark = 0;
  std::unique_ptr<Timer> sys_timer;
  std::unique_ptr<Timer> housekeeping;
  MonoTime started{};
  MonoTime refusals_since{};  // logins refused within this second, for the log
  std::uint32_t refusals = 0;
  std::unique_ptr<SysTopics> sys_topics;

  // Scratch space of one call, kept for its capacity.
  std::vector<Match> matches;
  std::vector<Receiver> receivers;
  ByteBuffer properties;
  ByteBuffer forwarded;
  std::string source;  // of the retained message at hand
  std::string mounted_topic;
  mqtt::Publish publish;  // the packet being acted on
  mqtt::PublishAck publish_ack;
};

}  // namespace nightjar::broker
