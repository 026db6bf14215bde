#include "cli/listeners.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/log.h"
#include "broker/control.h"
#include "cli/ask_worker.h"
#include "cli/listener_protocols.h"
#include "cli/serve_config.h"
#include "config/load.h"
#include "net/address.h"

namespace nightjar::cli {
namespace {

bool is_same(const net::Address& a, const net::Address& b) {
  return a.size == b.size && std::memcmp(&a.storage, &b.storage, a.size) == 0;
}

// With the place to change it, in the file or on the command line.
std::string explain(const config::Config& config, const config::ListenerConfig& listener,
                    const net::BindError& error) {
  const std::string address = listener.interface.empty() ? "address" : "interface";
  const std::string place = config::said_at(config, listener.label, error.is_about_port ? "port" : address);
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
                                           const std::vector<const broker::ListenerPolicy*>& policies,
                                           const TlsListeners& tls) {
  Next next;
  for (std::size_t i = 0; i < config.listeners.size(); ++i) {
    const config::ListenerConfig& listener = config.listeners[i];
    const Service service{policies[i],
                          net::make_filter_factory(protocols_of(listener, tls.filter_of(listener))),
                          describe_protocols(listener)};
    NJ_CHECK(listener.unix_path.empty() ? prepare_tcp(config, listener, service, next)
                                        : prepare_unix(config, listener, service, next));
  }
  return next;
}

Result<void> Listeners::prepare_tcp(const config::Config& config, const config::ListenerConfig& listener,
                                    const Service& service, Next& next) {
  NJ_TRY(const auto addresses, addresses_of(listener));
  for (const net::Address& address : addresses) {
    auto taken =
        take(address, service, [&] { return workers_.bind(address, *service.policy, service.filter); });
    if (taken) {
      next.places.push_back(std::move(*taken));
    } else if (addresses.size() > 1 && address.family() == AF_INET6) {
      log::info(taken.error().message + "; going on without IPv6");
    } else {
      return fail(explain(config, listener, taken.error()));
    }
  }
  return {};
}

Result<void> Listeners::prepare_unix(const config::Config& config, const config::ListenerConfig& listener,
                                     const Service& service, Next& next) {
  NJ_TRY(const net::Address address, net::unix_address(listener.unix_path));
  auto taken = take(address, service, [&] {
    return workers_.bind_unix(listener.unix_path, static_cast<mode_t>(listener.unix_mode), *service.policy,
                              service.filter);
  });
  if (!taken) return fail(config::said_at(config, listener.label, "path") + taken.error().message);
  next.places.push_back(std::move(*taken));
  return {};
}

Listeners::Taken Listeners::take(const net::Address& address, const Service& service, const Bind& bind) {
  Next::Place place{service};
  const auto served = std::find_if(places_.begin(), places_.end(),
                                   [&](const Place& one) { return is_same(one.endpoint->address, address); });
  if (served != places_.end()) {
    place.endpoint = served->endpoint;
  } else {
    NJ_TRY(place.bound, bind());
  }
  return place;
}

void Listeners::serve(Next next) {
  std::vector<Place> places;
  std::vector<std::pair<const broker::ListenerPolicy*, const broker::ListenerPolicy*>> changed;
  for (Next::Place& place : next.places) {
    const Service& service = place.service;
    if (place.endpoint == nullptr) {
      places.push_back({&workers_.listen(std::move(place.bound)), service.policy, service.speaks});
      continue;
    }
    const auto before = std::find_if(places_.begin(), places_.end(),
                                     [&](const Place& served) { return served.endpoint == place.endpoint; });
    changed.emplace_back(before->policy, service.policy);
    places_.erase(before);
    places.push_back(
        {&workers_.change(*place.endpoint, *service.policy, service.filter), service.policy, service.speaks});
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
  for (const Place& place : places_)
    listening.push_back({place.endpoint->address, place.policy, place.speaks});
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
