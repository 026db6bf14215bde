// The whole core in one thread: several workers, a fake clock, links and mail that a seed delays. Nothing
// here reads a real clock, socket or random source, so a seed replays exactly.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "broker/durable/restore.h"
#include "broker/mail.h"
#include "broker/node.h"
#include "broker/policy.h"
#include "broker/ports.h"
#include "broker/worker.h"
#include "tests/support/world_store.h"

namespace nightjar::testing {

class FakeClock final : public Clock {
 public:
  [[nodiscard]] MonoTime now() const override { return now_; }
  [[nodiscard]] std::int64_t wall_ms() const override { return now_.ms; }
  void advance(Duration d) { now_ = now_ + d; }

 private:
  MonoTime now_{1'000'000};
};

// Both directions of one connection. The client end and the broker end each hold a share.
struct Wire {
  ByteBuffer to_broker;
  ByteBuffer to_client;
  bool client_closed = false;  // the client has hung up
  bool broker_closed = false;  // the broker has, after all that is in to_client
  // Bytes that fit into to_client, like a socket buffer: a client that does not read fills it.
  std::size_t capacity = 1 << 20;
  std::optional<broker::PeerProof> proof{};  // what the network would know of the client
};

class World;

class SimTransport final : public broker::Transport {
 public:
  SimTransport(World& world, std::shared_ptr<Wire> wire);
  ~SimTransport() override;

  void notify_when_drained(std::size_t low_water) override;
  void pause_reading() override { is_paused_ = true; }
  void resume_reading() override { is_paused_ = false; }
  void detach() override;
  void attach(broker::Connection& owner) override;
  void retire(std::unique_ptr<broker::Transport> self) override;
  [[nodiscard]] std::string peer() const override { return "sim"; }
  [[nodiscard]] const broker::PeerProof* proof() const override {
    return wire_->proof ? &*wire_->proof : nullptr;
  }

 private:
  friend class World;
  bool list_for_flush() override { return false; }  // every turn flushes all of them
  void flush();

  World& world_;
  std::shared_ptr<Wire> wire_;
  broker::Connection* owner_ = nullptr;
  int worker_ = -1;  // where it is attached
  bool is_paused_ = false;
  bool wants_drained_ = false;
  std::size_t low_water_ = 0;
};

// Everybody may come in and do everything; tests replace it through WorldOptions.
class OpenDoor : public broker::Authenticator, public broker::Authorizer {
 public:
  std::unique_ptr<broker::AuthExchange> open(std::string_view method) override;
  bool may_publish(const broker::ClientIdentity&, std::string_view, mqtt::Qos, bool) override { return true; }
  bool may_subscribe(const broker::ClientIdentity&, std::string_view) override { return true; }
  bool may_receive(const broker::ClientIdentity&, std::string_view) override { return true; }
  [[nodiscard]] bool checks_receive() const override { return false; }
};

class VolatileStore final : public broker::Store {
 public:
  [[nodiscard]] bool is_volatile() const override { return true; }
  void announce(std::shared_ptr<broker::Commit>) override {}
  [[nodiscard]] bool ready(broker::Commit&) override { return true; }
  [[nodiscard]] broker::CommitNumber committed(broker::WorkerIndex) const override { return 0; }
  [[nodiscard]] bool is_busy() const override { return false; }
  [[nodiscard]] bool is_refusing() const override { return false; }
  void read(broker::WorkerIndex, broker::Table, std::string, std::string, std::size_t,
            broker::ReadDone) override {}
};

struct WorldOptions {
  std::uint16_t workers = 2;
  std::uint64_t seed = 1;
  // False: links and mail deliver everything at once, in a fixed order. True: the seed delays, cuts into
  // pieces and interleaves.
  bool is_chaotic = false;
  broker::NodePolicy node = {.sys_interval = Duration{0}};
  broker::ListenerPolicy listener = {};
  broker::Authenticator* authenticator = nullptr;
  broker::Authorizer* authorizer = nullptr;
  // Outlives the World, which begins with what is in it. None: a restart forgets everything.
  WorldStore* store = nullptr;
};

class World final : private broker::Peers, private broker::Entropy {
 public:
  explicit World(WorldOptions options = {});
  ~World() override;
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  // A new connection accepted by `worker`.
  std::shared_ptr<Wire> dial(std::uint16_t worker);
  // One turn of one worker: some of the bytes and mail that wait for it.
  void turn(std::uint16_t worker);
  // Turns until nothing moves any more; throws if that does not happen.
  void settle();
  // Lets time pass, second by second or in larger steps, with turns in between.
  void advance(Duration d);
  // Time passes without a turn.
  void jump(Duration d) { clock_.advance(d); }
  void move_shard(broker::ShardId shard, std::uint16_t to);
  [[nodiscard]] bool has_moves() const;
  // Runs something within a turn of a worker, as an answer of a port comes.
  void run_on(std::uint16_t worker, const std::function<void()>& work);
  // The process is gone at this instant: what is not durable is lost. Nothing but the end of this World
  // follows.
  void crash() { options_.store->crash(); }
  // What came back from the store at the start.
  [[nodiscard]] const broker::Restored& restored() const { return restored_; }
  // The orderly end of every worker.
  void drain();
  // What lies in the mail, so that a test may say which of two letters comes first.
  std::deque<std::unique_ptr<broker::MailBatch>>& mail_between(std::uint16_t from, std::uint16_t to) {
    return mail_[std::size_t{from} * workers_.size() + to];
  }

  [[nodiscard]] broker::Counters counters() const;
  [[nodiscard]] std::uint16_t worker_count() const { return static_cast<std::uint16_t>(workers_.size()); }
  broker::Worker& worker(std::uint16_t index) { return *workers_[index]; }
  broker::Node& node() { return *node_; }
  [[nodiscard]] MonoTime now() const { return clock_.now(); }
  std::mt19937_64& random() { return random_; }
  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }

 private:
  friend class SimTransport;
  void post(broker::WorkerIndex from, broker::WorkerIndex to,
            std::unique_ptr<broker::MailBatch> batch) override;
  std::uint64_t next() override { return random_(); }
  void read_wires(std::uint16_t worker);
  void read_mail(std::uint16_t worker);
  [[nodiscard]] bool is_quiet() const;
  bool wait_a_little();

  WorldOptions options_;
  std::mt19937_64 random_;
  FakeClock clock_;
  OpenDoor open_door_;
  VolatileStore volatile_store_;
  std::unique_ptr<WorldStore> own_store_;
  broker::Restored restored_;
  std::unique_ptr<broker::Node> node_;
  std::vector<std::vector<SimTransport*>> attached_;
  std::vector<std::unique_ptr<broker::Transport>> retired_;
  std::vector<std::deque<std::unique_ptr<broker::MailBatch>>> mail_;  // [from * workers + to]
  std::vector<std::unique_ptr<broker::Worker>> workers_;
  int current_ = -1;
};

}  // namespace nightjar::testing
