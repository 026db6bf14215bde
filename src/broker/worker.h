// One worker of the core: the connections, sessions and groups of its shards, and nothing shared but the
// subscription tree and the retained messages. Single-threaded: every method is called by the thread (or the
// simulator step) that runs this worker.
//
// A turn: begin_turn(now); any of on_bytes, on_closed, on_drained, on_mail, accept; end_turn(). Connections
// that the core closed or sent to another worker stay valid memory until end_turn() returns.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "base/bytes.h"
#include "base/clock.h"
#include "broker/counters.h"
#include "broker/ids.h"
#include "broker/policy.h"
#include "broker/ports.h"

namespace nightjar::broker {

class Node;
struct MailBatch;
struct WorkerState;

class Worker {
 public:
  Worker(Node& node, WorkerIndex index);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  [[nodiscard]] WorkerIndex index() const;

  void begin_turn(MonoTime now);
  // Runs what is due, hands mail over, lets the subscription tree reclaim. Output is ready to flush
  // afterwards.
  void end_turn();
  // When begin_turn must run at the latest even if nothing happens; kNever if nothing is pending.
  [[nodiscard]] MonoTime next_deadline() const;
  // False if no client can be at home here: then this worker need not accept any.
  [[nodiscard]] bool owns_shards() const;
  // Between wait_begins and the next begin_turn this worker holds no reference into shared structures. Call
  // wait_begins before a blocking wait.
  void wait_begins();

  // A new network connection. `policy` outlives it. The transport has been attached to the returned
  // Connection.
  Connection& accept(std::unique_ptr<Transport> transport, const ListenerPolicy& policy);
  // Bytes in order of arrival; the view is valid during the call. May close or move the connection: the
  // transport then has been told (pause, detach) before the call returns, and ignores further input.
  void on_bytes(Connection& connection, ByteView bytes);
  // Where the rest of a large packet may be received, or nothing; valid until the next call for the
  // connection. on_rest: `count` bytes of it were.
  static std::span<std::byte> room_for_rest(Connection& connection);
  void on_rest(Connection& connection, std::size_t count);
  void on_closed(Connection& connection, TransportEnd end);
  void on_drained(Connection& connection);

  void on_mail(std::unique_ptr<MailBatch> batch);

  // The orderly end, asked of every worker: nothing new is accepted, the wills go out, then 5.0 clients get
  // DISCONNECT 0x8B and every connection is retired (drain.h).
  void drain();
  // Every client has been told.
  [[nodiscard]] bool is_drained() const;

  [[nodiscard]] const Counters& counters() const;

  WorkerState& state() { return *state_; }  // for the packages of broker/ and their tests

 private:
  std::unique_ptr<WorkerState> state_;
};

}  // namespace nightjar::broker
