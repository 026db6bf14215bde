#include "net/connections.h"

#include <algorithm>
#include <utility>

#include "net/turn_budget.h"

namespace nightjar::net {
namespace {

thread_local Connections* t_current = nullptr;

}  // namespace

// ---- Roster ----

void Roster::add(Connection& connection) {
  std::uint32_t& index = connection.*index_;
  if (index != Connection::kNotListed) return;
  index = static_cast<std::uint32_t>(listed_.size());
  listed_.push_back(&connection);
}

void Roster::remove(Connection& connection) {
  std::uint32_t& index = connection.*index_;
  if (index == Connection::kNotListed) return;
  listed_[index] = nullptr;
  index = Connection::kNotListed;
}

template <typename Call>
void Roster::run(Call call) {
  const std::size_t count = listed_.size();
  for (std::size_t i = 0; i < count; ++i) {
    Connection* const connection = std::exchange(listed_[i], nullptr);
    if (connection == nullptr) continue;
    connection->*index_ = Connection::kNotListed;
    call(*connection);
  }
  erase_front(count);
}

template <typename IsTime, typename Call>
bool Roster::run_while(IsTime is_time, Call call) {
  const std::size_t count = listed_.size();
  std::size_t done = 0;
  bool is_held_up = false;
  for (; done < count && is_time(); ++done) {
    Connection* const connection = listed_[done];
    if (connection == nullptr) continue;
    is_held_up = call(*connection);
    if (is_held_up) break;
    // It may be gone by now.
    if (listed_[done] != nullptr) remove(*connection);
  }
  erase_front(done);
  return is_held_up;
}

void Roster::erase_front(std::size_t count) {
  listed_.erase(listed_.begin(), listed_.begin() + static_cast<std::ptrdiff_t>(count));
  for (std::size_t i = 0; i < listed_.size(); ++i) {
    if (listed_[i] != nullptr) listed_[i]->*index_ = static_cast<std::uint32_t>(i);
  }
}

// ---- Connections ----

Connections::Connections(EventLoop& loop, Handler& handler) : loop_(loop), handler_(handler) {}

Connections::~Connections() {
  lingering_.clear();
  if (t_current == this) t_current = nullptr;
}

void Connections::set_current(Connections* connections) { t_current = connections; }
Connections* Connections::current() { return t_current; }

void Connections::begin_turn(MonoTime now) {
  now_ = now;
  TurnBudget::renew();
  pending_.run([this](Connection& connection) {
    if (connection.is_finished_) return drop_lingering(connection.linger_index_);
    connection.on_pending();
  });
  go_on_with_what_was_put_off();
  if (spares_kept_until_ <= now) {
    spares_.clear();
    spares_kept_until_ = kNever;
  }
  if (now < next_linger_check_) return;
  for (std::size_t i = lingering_.size(); i-- > 0;) {
    if (lingering_[i].deadline <= now) drop_lingering(i);
  }
  next_linger_check_ = lingering_.empty() ? kNever : now + kLingerTick;
}

void Connections::finish_turn() {
  if (!dirty_.empty()) spares_kept_until_ = now_ + kSparesKept;
  dirty_.run([](Connection& connection) {
    connection.is_flush_due_ = false;
    connection.flush();
    if (connection.is_lingering()) connection.linger_on();
  });
}

void Connections::go_on_with_what_was_put_off() {
  is_put_off_for_room_ = put_off_.run_while([] { return !TurnBudget::is_spent(); },
                                            [](Connection& connection) { return connection.go_on(); });
  // What others give back in this turn is for those who wait, and not for who comes now.
  if (is_put_off_for_room_) TurnBudget::use_up();
}

MonoTime Connections::next_deadline() const {
  if (!pending_.empty()) return now_;
  const MonoTime deadline = std::min(next_linger_check_, spares_kept_until_);
  if (put_off_.empty()) return deadline;
  return is_put_off_for_room_ ? std::min(deadline, now_ + kRoomTick) : now_;
}

void Connections::keep(std::unique_ptr<Connection> connection) {
  if (lingering_.size() >= kLingeringMax) drop_oldest_lingering();
  connection->linger_index_ = static_cast<std::uint32_t>(lingering_.size());
  lingering_.push_back({std::move(connection), now_ + kRetireFlushTime});
  if (next_linger_check_ == kNever) next_linger_check_ = now_ + kLingerTick;
}

void Connections::set_linger_deadline(const Connection& connection, Duration from_now) {
  lingering_[connection.linger_index_].deadline = now_ + from_now;
}

void Connections::drop_lingering(std::size_t index) {
  std::swap(lingering_[index], lingering_.back());
  lingering_[index].connection->linger_index_ = static_cast<std::uint32_t>(index);
  lingering_.pop_back();
}

void Connections::drop_oldest_lingering() {
  const auto oldest =
      std::min_element(lingering_.begin(), lingering_.end(),
                       [](const Lingering& a, const Lingering& b) { return a.deadline < b.deadline; });
  drop_lingering(static_cast<std::size_t>(oldest - lingering_.begin()));
}

}  // namespace nightjar::net
