#include "cli/listeners.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/log.h"
#include "broker/control.h"
#include "cli/ask_worker.h"
#include "cli/serve_config.h"
#include "config/load.h"
#include "net/address.h"

namespace nightjar::cli {
namespace {

bool is_same(const net::Address& a, const net::Address& b) {
  return net::AddressText(a).view() == net::AddressText(b).view();
}

// With the place to change it, in the file or on the command line.
std::string explain(const config::Config& config, const config::ListenerConfig& listener,
                    const net::BindError& error) {
  const std::string place = config::said_at(config, listener.label, error.is_about_port ? "port" : "address");
  if (!place.empty()) return place + error.message;
  return error.message + (error.is_about_port ? " with -p" : "");
}

}  // namespace

std::vector<const broker::ListenerPolicy*> Listeners::adopt(const config::Config& config) {
  std::vector<const broker::ListenerPolicy*> adopted;
  for (const config::ListenerConfig& listener : config.listeners) {
    policies_.push_back(std::make_unique<broker::ListenerPolicy>(listener.policy));
    adopted.push_back(policies_.back().get());
  }
  return adopted;
}

Result<Listeners::Next> Listeners::prepare(const config::Config& config,
                                           const std::vector<const broker::ListenerPolicy*>& policies) {
  Next next;
  for (std::size_t i = 0; i < config.listeners.size(); ++i) {
    const config::ListenerConfig& listener = config.listeners[i];
    NJ_TRY(const auto addresses, addresses_of(listener));
    for (const net::Address& address : addresses) {
      auto taken = take(address, *policies[i]);
      if (taken) {
        next.places.push_back(std::move(*taken));
      } else if (addresses.size() > 1 && address.family() == AF_INET6) {
        log::info(taken.error().message + "; going on without IPv6");
      } else {
        return fail(explain(config, listener, taken.error()));
      }
    }
  }
  return next;
}

Result<Listeners::Next::Place, net::BindError> Listeners::take(const net::Address& address,
                                                               const broker::ListenerPolicy& policy) {
  const auto served = std::find_if(places_.begin(), places_.end(), [&](const Place& place) {
    return is_same(place.endpoint->address, address);
  });
  if (served != places_.end()) return Next::Place{.endpoint = served->endpoint, .policy = &policy};
  NJ_TRY(net::Workers::Bound bound, workers_.bind(address, policy));
  return Next::Place{.bound = std::move(bound), .policy = &policy};
}

void Listeners::serve(Next next) {
  std::vector<Place> places;
  std::vector<std::pair<const broker::ListenerPolicy*, const broker::ListenerPolicy*>> changed;
  for (Next::Place& place : next.places) {
    if (place.endpoint == nullptr) {
      places.push_back({&workers_.listen(std::move(place.bound)), place.policy});
      continue;
    }
    const auto before = std::find_if(places_.begin(), places_.end(),
                                     [&](const Place& served) { return served.endpoint == place.endpoint; });
    changed.emplace_back(before->policy, place.policy);
    places_.erase(before);
    places.push_back({&workers_.change(*place.endpoint, *place.policy), place.policy});
  }
  for (const Place& gone : places_) workers_.close(*gone.endpoint);
  for (std::uint16_t i = 0; i < mail_.workers(); ++i) {
    ask_worker(mail_, {i}, [changed, gone = places_](broker::Worker& worker) {
      for (const auto& [from, to] : changed) broker::change_queue_limits(worker, *from, *to);
      for (const Place& place : gone) broker::disconnect_clients_of(worker, place.policy->name);
      return true;
    });
  }
  places_ = std::move(places);
}

std::vector<ListeningAt> Listeners::listening() const {
  std::vector<ListeningAt> listening;
  for (const Place& place : places_) listening.push_back({place.endpoint->address, place.policy});
  return listening;
}

std::size_t Listeners::clients_of(const std::string& listener) {
  std::vector<Asked<std::size_t>> asked;
  for (std::uint16_t i = 0; i < mail_.workers(); ++i) {
    asked.push_back(ask_worker(mail_, broker::WorkerIndex{i}, [listener](broker::Worker& worker) {
      return broker::count_clients_of(worker, listener);
    }));
  }
  std::size_t sum = 0;
  for (auto& answer : asked) sum += answer.wait().value_or(0);
  return sum;
}

}  // namespace nightjar::cli
