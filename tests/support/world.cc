#include "tests/support/world.h"

#include <algorithm>
#include <cstdlib>
#include <stdexcept>

#include "broker/connection.h"
#include "broker/worker_state.h"
#include "tests/support/map_store.h"

namespace nightjar::testing {
namespace {

// The longest settling of the simulator takes a few hundred rounds. A broker that keeps itself busy, or
// leaves something unread for good, is a finding and not a test that never ends.
constexpr int kSettleRoundsMax = 100'000;

class Welcome final : public broker::AuthExchange {
 public:
  void start(const broker::AuthRequest& request, Done done) override {
    done({.kind = broker::AuthVerdict::Kind::kAllow,
          .code = mqtt::ReasonCode::kSuccess,
          .user_name = std::string{request.user_name}});
  }
  void proceed(ByteView, Done done) override { done({.kind = broker::AuthVerdict::Kind::kRefuse}); }
};

}  // namespace

SimTransport::SimTransport(World& world, std::shared_ptr<Wire> wire)
    : world_(world), wire_(std::move(wire)) {}

SimTransport::~SimTransport() {
  detach();
  wire_->broker_closed = true;
}

void SimTransport::notify_when_drained(std::size_t low_water) {
  wants_drained_ = true;
  low_water_ = low_water;
}

void SimTransport::detach() {
  if (worker_ < 0) return;
  std::erase(world_.attached_[static_cast<std::size_t>(worker_)], this);
  worker_ = -1;
  owner_ = nullptr;
}

void SimTransport::attach(broker::Connection& owner) {
  owner_ = &owner;
  worker_ = world_.current_;
  world_.attached_[static_cast<std::size_t>(worker_)].push_back(this);
}

void SimTransport::retire(std::unique_ptr<broker::Transport> self) {
  detach();
  // What is left is sent as far as the client reads; the wire keeps it.
  wire_->to_client.append(output_.view());
  output_.clear();
  self.reset();
}

void SimTransport::flush() {
  const std::size_t room = wire_->capacity - std::min(wire_->capacity, wire_->to_client.size());
  const std::size_t count = std::min(room, output_.size());
  if (wire_->client_closed) {
    output_.clear();
    return;
  }
  wire_->to_client.append(output_.view().first(count));
  output_.consume(count);
}

std::unique_ptr<broker::AuthExchange> OpenDoor::open(std::string_view method) {
  return method.empty() ? std::make_unique<Welcome>() : nullptr;
}

World::World(WorldOptions options) : options_(std::move(options)), random_(options_.seed) {
  broker::Authenticator& authenticator = options_.authenticator ? *options_.authenticator : open_door_;
  broker::Authorizer& authorizer = options_.authorizer ? *options_.authorizer : open_door_;
  // Every test of the core can be run with a store as well.
  if (options_.store == nullptr && std::getenv("NIGHTJAR_TEST_STORE") != nullptr) {
    own_store_ = std::make_unique<MapStore>();
    options_.store = own_store_.get();
  }
  broker::Store& store = options_.store ? static_cast<broker::Store&>(*options_.store) : volatile_store_;
  const broker::Ports ports{clock_, *this, store, authenticator, authorizer, *this};
  options_.node.refuses_when_full |= options_.listener.queue.overflow == broker::OverflowPolicy::kReject;
  node_ = std::make_unique<broker::Node>(options_.node, ports, options_.workers);
  attached_.resize(options_.workers);
  mail_.resize(std::size_t{options_.workers} * options_.workers);
  for (std::uint16_t i = 0; i < options_.workers; ++i) {
    workers_.push_back(std::make_unique<broker::Worker>(*node_, broker::WorkerIndex{i}));
  }
  if (options_.store == nullptr) return;
  std::vector<broker::Worker*> workers;
  for (auto& worker : workers_) workers.push_back(worker.get());
  restored_ = options_.store->start(*node_, workers, options_.listener);
}

World::~World() {
  if (options_.store != nullptr && options_.store->is_running()) crash();
  for (auto& queue : mail_) queue.clear();
  workers_.clear();
}

std::shared_ptr<Wire> World::dial(std::uint16_t worker) {
  auto wire = std::make_shared<Wire>();
  current_ = worker;
  workers_[worker]->begin_turn(clock_.now());
  workers_[worker]->accept(std::make_unique<SimTransport>(*this, wire), options_.listener);
  workers_[worker]->end_turn();
  current_ = -1;
  return wire;
}

void World::post(broker::WorkerIndex from, broker::WorkerIndex to, std::unique_ptr<broker::MailBatch> batch) {
  mail_[std::size_t{from.value} * workers_.size() + to.value].push_back(std::move(batch));
}

void World::read_wires(std::uint16_t worker) {
  // A copy, since what is read may close and move connections.
  const std::vector<SimTransport*> present = attached_[worker];
  for (SimTransport* transport : present) {
    const auto& now_here = attached_[worker];
    if (std::find(now_here.begin(), now_here.end(), transport) == now_here.end()) continue;
    Wire& wire = *transport->wire_;
    if (options_.is_chaotic && below(4) == 0) continue;
    if (!transport->is_paused_ && !wire.to_broker.empty()) {
      std::size_t count = wire.to_broker.size();
      if (options_.is_chaotic && below(2) == 0) count = 1 + below(count);
      const std::span<std::byte> rest = broker::Worker::room_for_rest(*transport->owner_);
      if (!rest.empty()) count = std::min(count, rest.size());
      const ByteView view = wire.to_broker.view().first(count);
      const std::vector<std::byte> chunk{view.begin(), view.end()};
      wire.to_broker.consume(count);
      if (rest.empty()) {
        workers_[worker]->on_bytes(*transport->owner_, chunk);
      } else {
        std::copy(chunk.begin(), chunk.end(), rest.begin());
        workers_[worker]->on_rest(*transport->owner_, chunk.size());
      }
    } else if (wire.client_closed && wire.to_broker.empty()) {
      workers_[worker]->on_closed(*transport->owner_, broker::TransportEnd::kPeerClosed);
    }
  }
  for (SimTransport* transport : std::vector<SimTransport*>{attached_[worker]}) {
    if (!transport->wants_drained_ || transport->output_.size() > transport->low_water_) continue;
    transport->wants_drained_ = false;
    workers_[worker]->on_drained(*transport->owner_);
  }
}

void World::read_mail(std::uint16_t worker) {
  for (std::size_t from = 0; from < workers_.size(); ++from) {
    auto& queue = mail_[from * workers_.size() + worker];
    while (!queue.empty() && !(options_.is_chaotic && below(3) == 0)) {
      std::unique_ptr<broker::MailBatch> batch = std::move(queue.front());
      queue.pop_front();
      workers_[worker]->on_mail(std::move(batch));
    }
  }
}

void World::turn(std::uint16_t worker) {
  current_ = worker;
  workers_[worker]->begin_turn(clock_.now());
  read_wires(worker);
  read_mail(worker);
  workers_[worker]->end_turn();
  for (SimTransport* transport : attached_[worker]) transport->flush();
  workers_[worker]->wait_begins();
  current_ = -1;
}

bool World::is_quiet() const {
  for (const auto& queue : mail_) {
    if (!queue.empty()) return false;
  }
  for (std::size_t worker = 0; worker < workers_.size(); ++worker) {
    if (workers_[worker]->next_deadline() <= clock_.now()) return false;
    for (const SimTransport* transport : attached_[worker]) {
      const Wire& wire = *transport->wire_;
      if (wire.client_closed) return false;
      if (!transport->is_paused_ && !wire.to_broker.empty()) return false;
      if (!transport->output_.empty() && wire.to_client.size() < wire.capacity) return false;
      if (transport->wants_drained_ && transport->output_.size() <= transport->low_water_) return false;
    }
  }
  return true;
}

void World::settle() {
  int rounds = 0;
  bool has_written = false;
  do {
    if (++rounds > kSettleRoundsMax) throw std::runtime_error("the world does not come to rest");
    for (std::uint16_t worker = 0; worker < workers_.size(); ++worker) turn(worker);
    const bool is_late = options_.store != nullptr && options_.is_chaotic && below(2) == 0;
    has_written = is_late || (options_.store != nullptr && options_.store->write());
  } while (!is_quiet() || has_written || wait_a_little());
}

// What waits for receivers before it is stored, and a replay for its share of the worker's time, get the few
// milliseconds that it takes; what waits for a store that takes nothing waits longer.
bool World::wait_a_little() {
  constexpr Duration kFew{100};
  MonoTime next = kNever;
  for (const auto& worker : workers_) {
    const broker::WorkerState& state = worker->state();
    next = std::min({next, state.journal.next_deadline(), state.next_replay()});
  }
  if (next == kNever || next - clock_.now() > kFew) return false;
  if (next > clock_.now()) clock_.advance(next - clock_.now());
  return true;
}

void World::advance(Duration d) {
  const MonoTime end = clock_.now() + d;
  settle();
  while (clock_.now() < end) {
    MonoTime next = end;
    for (const auto& worker : workers_) next = std::min(next, worker->next_deadline());
    clock_.advance(std::max(Duration{1}, next - clock_.now()));
    settle();
  }
}

void World::move_shard(broker::ShardId shard, std::uint16_t to) {
  const std::uint16_t owner = node_->owner_of(shard).value;
  run_on(owner, [this, owner, shard, to] {
    broker::WorkerState& state = workers_[owner]->state();
    state.moves.start(state, shard, {to});
  });
}

void World::run_on(std::uint16_t worker, const std::function<void()>& work) {
  current_ = worker;
  workers_[worker]->begin_turn(clock_.now());
  work();
  workers_[worker]->end_turn();
  for (SimTransport* transport : attached_[worker]) transport->flush();
  workers_[worker]->wait_begins();
  current_ = -1;
}

void World::drain() {
  for (std::uint16_t worker = 0; worker < workers_.size(); ++worker) {
    run_on(worker, [this, worker] { workers_[worker]->drain(); });
  }
  settle();
}

bool World::has_moves() const {
  return !std::all_of(workers_.begin(), workers_.end(),
                      [](const auto& worker) { return worker->state().moves.is_idle(); });
}

broker::Counters World::counters() const {
  broker::Counters sum;
  for (const auto& worker : workers_) broker::add(sum, worker->counters());
  return sum;
}

}  // namespace nightjar::testing
