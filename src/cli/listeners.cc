#include "cli/listeners.h"

#include <fmt/format.h>

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

void add_once(std::vector<const broker::ListenerPolicy*>& to, const broker::ListenerPolicy* policy) {
  if (std::find(to.begin(), to.end(), policy) == to.end()) to.push_back(policy);
}

const net::Endpoint& change(net::Workers& workers, const net::Endpoint& endpoint,
                            const Listeners::Service& service, const Listeners::Service& before) {
  if (service.unix_mode != before.unix_mode) {
    const auto changed = net::set_unix_socket_mode(endpoint.address, *service.unix_mode);
    if (!changed) log::warn(changed.error().message);
  }
  return workers.change(endpoint, *service.policy, service.filter);
}

// A Unix socket whose file was removed has no way back to its name.
const net::Endpoint& replace(net::Workers& workers, const net::Endpoint& endpoint,
                             net::Workers::Bound bound) {
  log::warn(
      fmt::format("{} was removed by somebody and is made anew", net::AddressText(endpoint.address).view()));
  const net::Endpoint& next = workers.listen(std::move(bound));
  workers.close(endpoint);
  return next;
}

}  // namespace

std::vector<const broker::ListenerPolicy*> Listeners::adopt(const config::Config& config) {
  std::vector<const broker::ListenerPolicy*> adopted;
  for (const config::ListenerConfig& listener : config.listeners) adopted.push_back(copy_of(listener.policy));
  return adopted;
}

// ---- taking addresses ----

Result<Listeners::Next> Listeners::prepare(const config::Config& config, const TlsListeners& tls) {
  Next next;
  for (const config::ListenerConfig& listener : config.listeners) {
    Service service{nullptr, net::make_filter_factory(protocols_of(listener, tls.filter_of(listener))),
                    describe_protocols(listener)};
    if (!listener.unix_path.empty()) service.unix_mode = static_cast<mode_t>(listener.unix_mode);
    NJ_CHECK(listener.unix_path.empty() ? prepare_tcp(config, listener, service, next)
                                        : prepare_unix(config, listener, service, next));
  }
  return next;
}

Result<void> Listeners::prepare_tcp(const config::Config& config, const config::ListenerConfig& listener,
                                    const Service& service, Next& next) {
  NJ_TRY(const auto addresses, addresses_of(listener));
  for (const net::Address& address : addresses) {
    auto taken = take(listener, address, service, next, [&](const broker::ListenerPolicy& policy) {
      return workers_.bind(address, policy, service.filter);
    });
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
  auto taken = take(listener, address, service, next, [&](const broker::ListenerPolicy& policy) {
    return workers_.bind_unix(listener.unix_path, *service.unix_mode, policy, service.filter);
  });
  if (!taken) return fail(config::said_at(config, listener.label, "path") + taken.error().message);
  next.places.push_back(std::move(*taken));
  return {};
}

Listeners::Taken Listeners::take(const config::ListenerConfig& listener, const net::Address& address,
                                 Service service, const Next& next, const Bind& bind) {
  Next::Place place{std::move(service)};
  const auto served = std::find_if(places_.begin(), places_.end(),
                                   [&](const Place& one) { return is_same(one.endpoint->address, address); });
  place.service.policy = policy_for(listener.policy, served == places_.end() ? nullptr : &*served, next);
  if (served == places_.end()) {
    auto bound = bind(*place.service.policy);
    if (!bound) return tl::make_unexpected(with_own_address(std::move(bound.error()), address));
    place.bound = std::move(*bound);
    return place;
  }
  const bool is_taken = std::any_of(next.places.begin(), next.places.end(), [&](const Next::Place& other) {
    return other.endpoint == served->endpoint;
  });
  if (is_taken) {
    return tl::make_unexpected(net::BindError{
        fmt::format("{} is another listener's already; choose another one", net::AddressText(address).view()),
        address.family() != AF_UNIX});
  }
  place.endpoint = served->endpoint;
  if (const auto& file = served->endpoint->file; file != nullptr && !file->is_there()) {
    auto bound = bind(*place.service.policy);
    if (!bound) return tl::make_unexpected(std::move(bound.error()));
    place.bound = std::move(*bound);
  }
  return place;
}

// Two sockets cannot listen on one port, so from an address to all of them, or back, there is no way that
// leaves the clients.
net::BindError Listeners::with_own_address(net::BindError error, const net::Address& wanted) const {
  const auto own = std::find_if(places_.begin(), places_.end(), [&](const Place& place) {
    return wanted.family() != AF_UNIX && place.endpoint->address.port() == wanted.port();
  });
  if (!error.is_about_port || own == places_.end()) return error;
  error.message =
      fmt::format("cannot listen on {} while this broker listens on {}; choose another port, or restart it",
                  net::AddressText(wanted).view(), net::AddressText(own->endpoint->address).view());
  return error;
}

// Each policy belongs to one place, so that connections can be told apart by it. One that says the same is
// used again: nothing tells when the last connection has forgotten it.
const broker::ListenerPolicy* Listeners::policy_for(const broker::ListenerPolicy& wanted, const Place* served,
                                                    const Next& next) {
  if (served != nullptr && *served->service.policy == wanted) return served->service.policy;
  const auto is_of = [](const Place& place, const broker::ListenerPolicy* policy) {
    return place.service.policy == policy ||
           std::find(place.former.begin(), place.former.end(), policy) != place.former.end();
  };
  for (const auto& policy : policies_) {
    const bool is_used =
        std::any_of(places_.begin(), places_.end(),
                    [&](const Place& place) { return &place != served && is_of(place, policy.get()); }) ||
        std::any_of(next.places.begin(), next.places.end(),
                    [&](const Next::Place& place) { return place.service.policy == policy.get(); });
    if (!is_used && *policy == wanted) return policy.get();
  }
  return copy_of(wanted);
}

const broker::ListenerPolicy* Listeners::copy_of(const broker::ListenerPolicy& policy) {
  return policies_.emplace_back(std::make_unique<broker::ListenerPolicy>(policy)).get();
}

// ---- from one set to the next ----

Listeners::Fates Listeners::fates(const Next& next) const {
  Fates fates;
  for (const Place& place : places_) {
    const auto stays = std::find_if(next.places.begin(), next.places.end(), [&](const Next::Place& other) {
      return other.endpoint == place.endpoint;
    });
    std::optional<std::string> name;
    if (stays != next.places.end()) name = stays->service.policy->name;
    fates[place.service.policy] = name;
    for (const broker::ListenerPolicy* policy : place.former) fates[policy] = name;
  }
  return fates;
}

void Listeners::serve(Next next) {
  before_ = std::exchange(places_, {});
  for (Next::Place& taken : next.places) {
    Place& place = places_.emplace_back(Place{taken.endpoint, std::move(taken.service)});
    if (taken.endpoint == nullptr) {
      place.endpoint = &workers_.listen(std::move(taken.bound));
      continue;
    }
    const auto was = std::find_if(before_.begin(), before_.end(),
                                  [&](const Place& served) { return served.endpoint == taken.endpoint; });
    place.before = static_cast<std::size_t>(was - before_.begin());
    place.former = was->former;
    add_once(place.former, was->service.policy);
    place.endpoint = taken.bound.endpoint == nullptr
                         ? &change(workers_, *taken.endpoint, place.service, was->service)
                         : &replace(workers_, *taken.endpoint, std::move(taken.bound));
    was->endpoint = nullptr;
  }
}

void Listeners::close_others() {
  for (const Place& place : before_) {
    if (place.endpoint != nullptr) workers_.close(*place.endpoint);
  }
  before_.clear();
}

void Listeners::finish() {
  for (Place& place : places_) {
    if (!std::exchange(place.before, {})) continue;
    rename_clients(place);
    std::erase(place.former, place.service.policy);
    (void)on_each_worker(mail_, [from = place.former, to = place.service.policy](broker::Worker& worker) {
      for (const broker::ListenerPolicy* policy : from) broker::change_queue_limits(worker, *policy, *to);
    });
  }
}

void Listeners::roll_back() {
  std::vector<const broker::ListenerPolicy*> ends;
  for (Place& place : places_) {
    if (!place.before) {
      workers_.close(*place.endpoint);
      ends.push_back(place.service.policy);
      continue;
    }
    Place& was = before_[*place.before];
    if (place.service.policy != was.service.policy) add_once(was.former, place.service.policy);
    was.endpoint = &change(workers_, *place.endpoint, was.service, place.service);
  }
  places_ = std::exchange(before_, {});
  for (Place& place : places_) rename_clients(place);
  disconnect_clients_of(ends);
}

// Connections keep the limits that they were told of, but rules go by the name that the listener has now.
void Listeners::rename_clients(Place& place) {
  for (const broker::ListenerPolicy*& policy : place.former) {
    const broker::ListenerPolicy* const from = policy;
    if (from->name == place.service.policy->name) continue;
    broker::ListenerPolicy renamed = *from;
    renamed.name = place.service.policy->name;
    const auto known = std::find_if(place.former.begin(), place.former.end(),
                                    [&](const broker::ListenerPolicy* one) { return *one == renamed; });
    if (*place.service.policy == renamed) {
      policy = place.service.policy;
    } else {
      policy = known != place.former.end() ? *known : copy_of(renamed);
    }
    (void)on_each_worker(
        mail_, [from, to = policy](broker::Worker& worker) { broker::rename_listener(worker, *from, *to); });
  }
}

void Listeners::disconnect_clients_of(const std::vector<const broker::ListenerPolicy*>& policies) {
  if (policies.empty()) return;
  (void)on_each_worker(mail_, [policies](broker::Worker& worker) {
    broker::judge_connections(worker, [&](const auto& client) -> std::optional<broker::Farewell> {
      if (std::find(policies.begin(), policies.end(), &client.policy) == policies.end()) return std::nullopt;
      return broker::Farewell{.why = "the listener was taken back", .is_expected = true};
    });
  });
}

std::vector<ListeningAt> Listeners::listening() const {
  std::vector<ListeningAt> listening;
  for (const Place& place : places_)
    listening.push_back({place.endpoint->address, place.service.policy, place.service.speaks});
  return listening;
}

}  // namespace nightjar::cli
