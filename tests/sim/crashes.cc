#include "tests/sim/crashes.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "broker/worker_state.h"
#include "tests/support/client.h"
#include "tests/support/world.h"

namespace nightjar::sim {
namespace {

using mqtt::PacketId;
using mqtt::PacketType;
using mqtt::Qos;
using testing::Client;
using testing::ConnectOptions;
using testing::Received;
using testing::World;
using testing::WorldStore;

constexpr int kPublishers = 4;
constexpr int kWindow = 6;
constexpr int kFinalRounds = 4000;

// One line for each packet and each blow, for who looks for the cause of a failure.
bool is_tracing = false;
template <typename... Values>
void trace(fmt::format_string<Values...> text, Values&&... values) {
  if (is_tracing) fmt::print(text, std::forward<Values>(values)...);
}

struct Failure {
  std::string what;
};

// One client over all its connections, with what a real one keeps of its session.
class Device {
 public:
  Device(std::string name, std::mt19937_64& random) : id(std::move(name)), random_(random) {}
  virtual ~Device() = default;
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  [[nodiscard]] bool is_linked() const { return client_ && client_->is_linked() && !client_->is_closed(); }
  void lose_world() { client_.reset(); }
  void drop() {
    trace("{} drops\n", id);
    if (client_) client_->drop_link();
    client_.reset();
  }
  void connect(World& world) {
    client_.emplace(world, id);
    client_->auto_acknowledge = false;
    ConnectOptions options{.clean_start = false, .session_expiry_s = 100'000};
    options.worker = static_cast<std::uint16_t>(random_() % world.worker_count());
    options.receive_maximum = static_cast<std::uint16_t>(1 + random_() % 8);
    client_->connect(options);
    trace("{} connects rm {} sessions {} expired {}\n", id, *options.receive_maximum,
          world.counters().sessions, world.counters().sessions_expired);
    is_open_ = false;
  }
  // Reads one packet and acts on it. False if there was none.
  bool poll() {
    if (client_ && client_->is_closed()) client_.reset();
    if (!client_ || !client_->poll_one()) return false;
    const PacketType type = client_->log.back();
    if (type == PacketType::kPublish) {
      const Received& got = client_->received.back();
      trace("{} <- PUBLISH q{} id {} dup {} '{}'\n", id, static_cast<int>(got.qos), got.packet_id.value,
            got.dup, got.payload);
    } else if (!client_->acks.empty() && type >= PacketType::kPuback && type <= PacketType::kPubcomp) {
      trace("{} <- {} {}\n", id, to_string(type), client_->acks.back().packet_id.value);
    } else {
      trace("{} <- {} present {}\n", id, to_string(type), client_->session_present);
    }
    if (type == PacketType::kConnack) {
      if (client_->connack_code != mqtt::ReasonCode::kSuccess) return true;  // another connection was later
      if (was_open_ && !client_->session_present) {
        trace("{}: its session is lost\n", id);
        ++sessions_lost;
        on_session_lost();
      }
      was_open_ = is_open_ = true;
      on_open();
    } else if (type == PacketType::kPublish) {
      on_publish(client_->received.back());
    } else if (type == PacketType::kSuback) {
      on_suback();
    } else if (type >= PacketType::kPuback && type <= PacketType::kPubcomp) {
      on_ack(type, client_->acks.back().packet_id);
    }
    return true;
  }
  virtual void act() {}

  const std::string id;
  std::uint64_t sessions_lost = 0;

 protected:
  virtual void on_session_lost() {}
  virtual void on_open() {}
  virtual void on_publish(const Received&) {}
  virtual void on_suback() {}
  virtual void on_ack(PacketType, PacketId) {}
  [[nodiscard]] bool is_open() const { return is_linked() && is_open_; }
  Client& client() { return *client_; }
  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }

 private:
  std::mt19937_64& random_;
  std::optional<Client> client_;
  bool is_open_ = false;   // CONNACK has come
  bool was_open_ = false;  // on this or an earlier connection
};

class Publisher final : public Device {
 public:
  Publisher(int index, Qos qos, std::size_t padding_bytes_max, std::mt19937_64& random)
      : Device(fmt::format("publisher{}", index), random),
        number(index),
        qos_(qos),
        padding_bytes_max_(padding_bytes_max) {}

  void act() override {
    if (!is_open() || is_done || outstanding_.size() >= kWindow) return;
    outstanding_.push_back({next, free_id()});
    ++next;
    send(outstanding_.back(), false);
  }
  [[nodiscard]] bool is_idle() const { return outstanding_.empty(); }
  [[nodiscard]] Qos qos() const { return qos_; }

  const int number;
  int next = 1;                // number of the next message
  std::set<int> acknowledged;  // PUBACK or PUBREC has come
  bool is_done = false;

 private:
  struct Outstanding {
    int number;
    PacketId id;
    bool is_released = false;
  };

  void on_open() override {
    for (const Outstanding& sent : outstanding_) {
      if (sent.is_released) {
        client().acknowledge(PacketType::kPubrel, sent.id);
      } else {
        send(sent, true);
      }
    }
  }
  void on_ack(PacketType type, PacketId packet) override {
    const auto sent = std::find_if(outstanding_.begin(), outstanding_.end(),
                                   [packet](const Outstanding& each) { return each.id == packet; });
    if (sent == outstanding_.end()) return;
    if (type == PacketType::kPubrec) {
      acknowledged.insert(sent->number);
      sent->is_released = true;
      client().acknowledge(PacketType::kPubrel, packet);
      return;
    }
    if (type == PacketType::kPuback) acknowledged.insert(sent->number);
    outstanding_.erase(sent);
  }
  void send(const Outstanding& message, bool dup) {
    trace("{} -> PUBLISH id {} dup {} {}\n", id, message.id.value, dup, message.number);
    client().publish(fmt::format("t/{}", number), payload(message.number),
                     {.qos = qos_, .dup = dup, .packet_id = message.id.value});
  }
  // The same whenever it is sent.
  [[nodiscard]] std::string payload(int message) const {
    std::string text = fmt::format("{} {}", number, message);
    if (padding_bytes_max_ == 0) return text;
    std::mt19937_64 size(static_cast<std::uint64_t>(message * kPublishers + number));
    return text + ' ' + std::string(size() % (padding_bytes_max_ + 1), 'x');
  }
  // Few of them, so that they come again soon.
  PacketId free_id() {
    while (true) {
      const PacketId packet{static_cast<std::uint16_t>(1 + below(2 * kWindow))};
      const bool is_taken = std::any_of(outstanding_.begin(), outstanding_.end(),
                                        [packet](const Outstanding& each) { return each.id == packet; });
      if (!is_taken) return packet;
    }
  }

  const Qos qos_;
  const std::size_t padding_bytes_max_;
  std::deque<Outstanding> outstanding_;
};

using Publishers = std::vector<std::unique_ptr<Publisher>>;

class Subscriber final : public Device {
 public:
  Subscriber(std::string name, std::string filter, Qos qos, const Publishers& publishers,
             std::mt19937_64& random)
      : Device(std::move(name), random), filter_(std::move(filter)), qos_(qos), publishers_(publishers) {}

  void act() override {
    if (!is_open()) return;
    if (!has_subscription_ && !is_asked_) {
      client().subscribe(filter_, qos_);
      is_asked_ = true;
    }
    while (!answers_.empty() && (is_prompt || below(3) != 0)) {
      client().acknowledge(answers_.front().first, answers_.front().second);
      trace("{} -> {} {}\n", id, to_string(answers_.front().first), answers_.front().second.value);
      answers_.pop_front();
    }
  }
  [[nodiscard]] Qos qos() const { return qos_; }

  bool is_prompt = false;                   // answers at once
  std::map<int, int> from;                  // publisher: its first message that must arrive
  std::map<int, std::vector<int>> arrived;  // publisher: numbers in order of arrival

 private:
  // What it was promised stays promised.
  void on_session_lost() override {
    has_subscription_ = false;
    unreleased_.clear();
  }
  void on_open() override {
    answers_.clear();
    is_asked_ = false;
  }
  void on_suback() override {
    has_subscription_ = true;
    if (!from.empty()) return;
    for (const auto& publisher : publishers_) from[publisher->number] = publisher->next;
  }
  void on_publish(const Received& got) override {
    if (got.qos == Qos::kExactlyOnce) {
      if (unreleased_.insert(got.packet_id.value).second) arrive(got);
      answers_.emplace_back(PacketType::kPubrec, got.packet_id);
    } else {
      arrive(got);
      answers_.emplace_back(PacketType::kPuback, got.packet_id);
    }
  }
  void on_ack(PacketType type, PacketId packet) override {
    if (type != PacketType::kPubrel) return;
    unreleased_.erase(packet.value);
    answers_.emplace_back(PacketType::kPubcomp, packet);
  }
  void arrive(const Received& got) {
    const std::size_t space = got.payload.find(' ');
    arrived[std::stoi(got.payload.substr(0, space))].push_back(std::stoi(got.payload.substr(space + 1)));
  }

  const std::string filter_;
  const Qos qos_;
  const Publishers& publishers_;
  bool is_asked_ = false;
  bool has_subscription_ = false;
  std::deque<std::pair<PacketType, PacketId>> answers_;
  std::set<std::uint16_t> unreleased_;  // QoS 2 ids that came and were not released [MQTT-4.3.3-10]
};

class Crashes {
 public:
  Crashes(const CrashPlan& plan, WorldStore& store, CrashCounts& counts)
      : plan_(plan), store_(store), counts_(counts), random_(plan.seed) {
    for (int i = 0; i < kPublishers; ++i) {
      const Qos qos = i % 2 == 0 ? Qos::kExactlyOnce : Qos::kAtLeastOnce;
      publishers_.push_back(std::make_unique<Publisher>(i, qos, plan_.padding_bytes_max, random_));
      devices_.push_back(publishers_.back().get());
    }
    add_subscriber("a", "t/#", Qos::kExactlyOnce);
    add_subscriber("b", "t/+", Qos::kAtLeastOnce);
    add_subscriber("c", "t/0", Qos::kExactlyOnce);
    groups_.push_back({add_subscriber("g1", "$share/g/t/#", Qos::kExactlyOnce),
                       add_subscriber("g2", "$share/g/t/#", Qos::kExactlyOnce)});
    groups_.push_back({add_subscriber("h1", "$share/h/t/#", Qos::kAtLeastOnce),
                       add_subscriber("h2", "$share/h/t/#", Qos::kAtLeastOnce)});
    workers_ = static_cast<std::uint16_t>(1 + below(plan_.workers_max));
    start();
  }

  void run() {
    for (int step = 0; step < plan_.steps; ++step) this->step();
    finish();
    check();
  }

 private:
  Subscriber* add_subscriber(const std::string& name, const std::string& filter, Qos qos) {
    subscribers_.push_back(std::make_unique<Subscriber>(name, filter, qos, publishers_, random_));
    devices_.push_back(subscribers_.back().get());
    return subscribers_.back().get();
  }

  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }

  void start() {
    while (!begin_world()) ++counts_.crashes;
    trace("restored {} messages {} sessions {} now {}\n", world_->restored().messages,
          world_->restored().sessions, world_->restored().first_unreadable, world_->now().ms);
    if (is_tracing) trace_store();
    if (world_->restored().unreadable != 0)
      throw Failure{"unreadable: " + world_->restored().first_unreadable};
  }

  // False if the machine died again on the way.
  bool begin_world() {
    try {
      world_.emplace(testing::WorldOptions{.workers = workers_,
                                           .seed = random_(),
                                           .is_chaotic = true,
                                           .node = {.shards = 8, .sys_interval = Duration{0}},
                                           .store = &store_});
      return true;
    } catch (const testing::DiedAtStart&) {
      return false;
    }
  }

  static void trace_group(const broker::SessionKey& key, std::string_view value) {
    if (key.kind == 'q') return trace("  {}: queue {:x}\n", key.name, *broker::read_group_queue(value));
    const auto record = broker::read_group(value);
    std::string live;
    for (const std::uint64_t each : record->live) live += fmt::format(" {}", each);
    trace("  {}: version {}, next {}, live{}\n", key.name, record->version, record->next_sequence, live);
  }

  void trace_store() const {
    for (const auto& [key, value] : store_.rows(broker::Table::kSessions)) {
      const auto read = broker::read_session_key(key);
      if (read->is_group) {
        trace_group(*read, value);
        continue;
      }
      if (read->kind != 'p') continue;
      const auto ids = broker::read_packet_ids(value);
      std::string sent;
      for (const auto& each : ids->sent) sent += fmt::format(" {}={}", each.id.value, each.sequence);
      trace("  {}: waiting from {}, sent{}\n", read->name, ids->waiting_from, sent);
    }
    for (const auto& [key, value] : store_.rows(broker::Table::kMeta)) {
      const auto read = broker::read_stretch_key(key);
      if (!read) continue;
      const auto record = broker::read_stretch(value);
      trace("  queue {:x} stretch {} origin {}: {} up to {}{}\n", read->queue.id, read->first,
            read->origin.value, record->count, record->last_sequence, record->has_ids ? " with ids" : "");
    }
    for (const auto& [key, value] : store_.rows(broker::Table::kQueues)) {
      const auto read = broker::read_queue_key(key);
      const auto entries = broker::read_queue_value(value, {});
      std::string text;
      for (const auto& entry : *entries) {
        const ByteView payload = entry.message->payload();
        text += fmt::format(" {}:'{}'", entry.sequence,
                            std::string_view{reinterpret_cast<const char*>(payload.data()), payload.size()});
        if (entry.id.value != 0) text += fmt::format(" id {}", entry.id.value);
      }
      trace("  queue {:x} row {}:{}\n", read->queue.id, read->row, text);
    }
    for (const auto& [key, value] : store_.rows(broker::Table::kSessions)) {
      const auto read = broker::read_session_key(key);
      if (read->kind != 'h' || read->is_group) continue;
      trace("  queue {:x} is of {}\n", broker::read_session(value, {})->queue, read->name);
    }
  }

  void crash() {
    ++counts_.crashes;
    world_->crash();
    trace("---- crash\n");
    for (Device* device : devices_) device->lose_world();
    world_.reset();
    if (below(4) == 0) workers_ = static_cast<std::uint16_t>(1 + below(plan_.workers_max));
    start();
  }

  void step() {
    Device& device = *devices_[below(devices_.size())];
    const std::uint64_t dice = below(1000);
    if (dice < plan_.crashes_per_1000_steps) return crash();
    if (dice < 30) return device.drop();
    if (dice < (plan_.is_restless ? 140U : 40U)) {
      if (!world_->has_moves()) {
        trace("move\n");
        world_->move_shard({static_cast<std::uint16_t>(below(8))},
                           static_cast<std::uint16_t>(below(workers_)));
      }
      return;
    }
    if (dice < (plan_.is_restless ? 200U : 150U))
      return world_->jump(Duration{static_cast<std::int64_t>(below(4))});
    if (dice < 350) {
      if (store_.write()) trace("written\n");
      return;
    }
    if (dice < 700) return world_->turn(static_cast<std::uint16_t>(below(workers_)));
    if (!device.is_linked()) return device.connect(*world_);
    if (dice < 850) return device.act();
    while (device.poll() && below(4) != 0) {
    }
  }

  // Everybody connects, nothing new is published, and all that is under way arrives.
  void finish() {
    for (auto& publisher : publishers_) publisher->is_done = true;
    for (auto& subscriber : subscribers_) subscriber->is_prompt = true;
    for (int round = 0; round < kFinalRounds; ++round) {
      for (Device* device : devices_) {
        if (!device->is_linked()) device->connect(*world_);
        device->act();
      }
      world_->settle();
      bool has_moved = false;
      for (Device* device : devices_) {
        while (device->poll()) has_moved = true;
      }
      for (Device* device : devices_) device->act();
      world_->advance(Duration{5});
      const bool is_idle = std::all_of(publishers_.begin(), publishers_.end(),
                                       [](const auto& each) { return each->is_idle(); });
      if (round > 20 && !has_moved && is_idle) return;
    }
    for (const auto& publisher : publishers_) {
      if (!publisher->is_idle())
        throw Failure{publisher->id + " waits for an acknowledgement that does not come"};
    }
    throw Failure{"it does not come to rest"};
  }

  void check() {
    for (const auto& publisher : publishers_) counts_.acknowledged += publisher->acknowledged.size();
    for (const auto& subscriber : subscribers_) {
      if (subscriber->id.size() == 1) check({subscriber.get()});
    }
    for (const auto& group : groups_) check(group);
    for (const Device* device : devices_) {
      for (std::uint64_t i = 0; i != device->sessions_lost; ++i)
        wrong(counts_.sessions_lost, "{}: its session is lost", device->id);
    }
    if (!first_wrong_.empty()) throw Failure{first_wrong_};
    for (std::uint16_t worker = 0; worker < workers_; ++worker) {
      if (world_->worker(worker).counters().ledger.imbalance() != 0)
        throw Failure{"the ledger is not balanced"};
    }
    if (!store_.rows(broker::Table::kQueues).empty()) check_rows();
  }

  template <typename... Values>
  void wrong(std::uint64_t& count, fmt::format_string<Values...> text, Values&&... values) {
    ++count;
    if (first_wrong_.empty()) first_wrong_ = fmt::format(text, std::forward<Values>(values)...);
  }

  // One subscriber, or the members of a group together.
  void check(const std::vector<Subscriber*>& members) {
    const std::string& name = members.front()->id;
    for (const auto& publisher : publishers_) {
      const int number = publisher->number;
      if (name == "c" && number != 0) continue;
      std::map<int, int> times;
      int first = 0;
      for (const Subscriber* member : members) {
        first = first == 0 ? member->from.at(number) : std::min(first, member->from.at(number));
        const auto found = member->arrived.find(number);
        if (found == member->arrived.end()) continue;
        for (const int each : found->second) ++times[each];
        if (members.size() == 1) check_order(name, number, first, found->second);
      }
      const bool is_once =
          publisher->qos() == Qos::kExactlyOnce && members.front()->qos() == Qos::kExactlyOnce;
      for (const int each : publisher->acknowledged) {
        if (each >= first && times[each] == 0)
          wrong(counts_.lost, "{}: message {} of publisher {} was acknowledged and is lost", name, each,
                number);
      }
      for (const auto& [each, count] : times) {
        counts_.delivered += static_cast<std::uint64_t>(count);
        if (is_once && count > 1)
          wrong(counts_.doubled, "{}: message {} of publisher {} came {} times", name, each, number, count);
      }
    }
  }

  void check_order(const std::string& name, int publisher, int first, const std::vector<int>& arrived) {
    int newest = 0;
    std::set<int> seen;
    for (const int each : arrived) {
      // What was sent before the subscription may be sent again behind it.
      if (each < first || !seen.insert(each).second) continue;
      if (each < newest)
        wrong(counts_.out_of_order, "{}: message {} of publisher {} came behind {}", name, each, publisher,
              newest);
      newest = std::max(newest, each);
    }
  }

  // Nothing waits any more, so a new start finds nothing.
  void check_rows() {
    world_->advance(Duration::seconds(1));
    crash();
    if (world_->restored().messages != 0)
      throw Failure{
          fmt::format("{} messages come back though all were acknowledged", world_->restored().messages)};
  }

  const CrashPlan plan_;
  WorldStore& store_;
  CrashCounts& counts_;
  std::string first_wrong_;
  std::mt19937_64 random_;
  std::uint16_t workers_ = 1;
  std::optional<World> world_;
  Publishers publishers_;
  std::vector<std::unique_ptr<Subscriber>> subscribers_;
  std::vector<std::vector<Subscriber*>> groups_;
  std::vector<Device*> devices_;
};

}  // namespace

std::optional<std::string> run_crashes(const CrashPlan& plan, WorldStore& store, CrashCounts& counts) {
  is_tracing = plan.is_traced;
  try {
    Crashes crashes(plan, store, counts);
    crashes.run();
  } catch (const Failure& failure) {
    return failure.what;
  } catch (const std::exception& failure) {
    return std::string(failure.what());
  }
  return std::nullopt;
}

}  // namespace nightjar::sim
