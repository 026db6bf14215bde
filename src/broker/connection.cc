#include "broker/connection.h"

#include "broker/connections.h"
#include "broker/protocol/filter_work.h"
#include "broker/worker_state.h"

namespace nightjar::broker {

Connection::Connection(std::unique_ptr<Transport> transport, const ListenerPolicy& listener,
                       std::uint64_t number)
    : is_mounted(!listener.mount_point.empty()),
      serial(number),
      policy(&listener),
      timer(&Connection::on_timer, this),
      transport_(std::move(transport)) {}

Connection::~Connection() = default;

void Connection::on_timer(void* connection) {
  auto& self = *static_cast<Connection*>(connection);
  on_connection_timer(*self.worker, self);
}

OutgoingAliases::Choice OutgoingAliases::choose(std::string_view topic) {
  if (maximum_ == 0) return {};
  if (const auto known = by_topic_.find(topic); known != by_topic_.end()) {
    by_use_.splice(by_use_.begin(), by_use_, known->second);
    return {known->second->alias, true};
  }
  if (by_use_.size() < maximum_) {
    by_use_.push_front({std::string{topic}, static_cast<std::uint16_t>(by_use_.size() + 1)});
  } else {
    by_topic_.erase(by_use_.back().topic);
    by_use_.splice(by_use_.begin(), by_use_, std::prev(by_use_.end()));
    by_use_.front().topic = topic;
  }
  by_topic_.emplace(by_use_.front().topic, by_use_.begin());
  return {by_use_.front().alias, false};
}

}  // namespace nightjar::broker
