// The addresses that the broker listens on, each with its policy, while the configuration may change. Used by
// one thread at a time that is no worker.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "broker/policy.h"
#include "cli/listener_protocols.h"
#include "cli/tls_listeners.h"
#include "config/config.h"
#include "net/mail_room.h"
#include "net/workers.h"

namespace nightjar::cli {

struct ListeningAt {
  net::Address address;
  const broker::ListenerPolicy* policy = nullptr;
  SpokenProtocols speaks;
};

class Listeners {
 public:
  Listeners(net::Workers& workers, net::MailRoom& mail) : workers_(workers), mail_(mail) {}

  // Copies of the policies of all listeners of a configuration, in its order. They live as long as this:
  // connections and sessions refer to them. prepare() uses those that are equal to what it needs.
  std::vector<const broker::ListenerPolicy*> adopt(const config::Config& config);

  // What clients of an address meet.
  struct Service {
    const broker::ListenerPolicy* policy = nullptr;
    net::FilterFactory filter;
    SpokenProtocols speaks;
    std::optional<mode_t> unix_mode{};
  };
  // A set of listeners that can be served at once, or be given up by destroying this.
  struct Next {
    struct Place {
      Service service;
      const net::Endpoint* endpoint = nullptr;  // one that is served already
      net::Workers::Bound bound{};              // one to come, or to replace it
    };
    std::vector<Place> places;
  };
  // Takes every address that is not served yet. Fails with the place in the file and the fix.
  Result<Next> prepare(const config::Config& config, const TlsListeners& tls);

  // How the listener of a policy will be called; nothing: it is not there any more.
  using Fates = std::unordered_map<const broker::ListenerPolicy*, std::optional<std::string>>;
  [[nodiscard]] Fates fates(const Next& next) const;

  // Serves these from now on; those that are not among them are served still. Then come either close_others()
  // and finish(), or roll_back(). None of them can fail.
  void serve(Next next);
  // Nobody comes by those that serve() left over any more. Their clients are there still.
  void close_others();
  // Sessions have the limits of their listener's new policy, and clients its new name.
  void finish();
  // Serves what was served before serve(). Clients that came by a new address are disconnected.
  void roll_back();

  [[nodiscard]] std::vector<ListeningAt> listening() const;

 private:
  struct Place {
    const net::Endpoint* endpoint = nullptr;
    Service service;
    // Connections that came earlier may have one of these.
    std::vector<const broker::ListenerPolicy*> former{};
    std::optional<std::size_t> before{};  // its number in before_, between serve() and what follows
  };
  using Taken = Result<Next::Place, net::BindError>;
  using Bind = std::function<Result<net::Workers::Bound, net::BindError>(const broker::ListenerPolicy&)>;

  Result<void> prepare_tcp(const config::Config& config, const config::ListenerConfig& listener,
                           const Service& service, Next& next);
  Result<void> prepare_unix(const config::Config& config, const config::ListenerConfig& listener,
                            const Service& service, Next& next);
  // Binds only if the address is not served.
  Taken take(const config::ListenerConfig& listener, const net::Address& address, Service service,
             const Next& next, const Bind& bind);
  [[nodiscard]] net::BindError with_own_address(net::BindError error, const net::Address& wanted) const;
  const broker::ListenerPolicy* policy_for(const broker::ListenerPolicy& wanted, const Place* served,
                                           const Next& next);
  const broker::ListenerPolicy* copy_of(const broker::ListenerPolicy& policy);
  void rename_clients(Place& place);
  void disconnect_clients_of(const std::vector<const broker::ListenerPolicy*>& policies);

  net::Workers& workers_;
  net::MailRoom& mail_;
  std::vector<std::unique_ptr<broker::ListenerPolicy>> policies_;
  std::vector<Place> places_;
  std::vector<Place> before_;  // what roll_back() goes back to
};

}  // namespace nightjar::cli
