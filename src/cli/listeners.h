// The addresses that the broker listens on, each with its policy, while the configuration may change. Used by
// one thread at a time that is no worker.
#pragma once

#include <functional>
#include <memory>
#include <string>
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
  // connections and sessions refer to them.
  std::vector<const broker::ListenerPolicy*> adopt(const config::Config& config);

  // What clients of an address meet.
  struct Service {
    const broker::ListenerPolicy* policy = nullptr;
    net::FilterFactory filter;
    SpokenProtocols speaks;
  };
  // A set of listeners that can be served at once, or be given up by destroying this.
  struct Next {
    struct Place {
      Service service;
      const net::Endpoint* endpoint = nullptr;  // one that is served already, or
      net::Workers::Bound bound{};              // one to come
    };
    std::vector<Place> places;
  };
  // Takes every address that is not served yet. Fails with the place in the file and the fix.
  Result<Next> prepare(const config::Config& config,
                       const std::vector<const broker::ListenerPolicy*>& policies, const TlsListeners& tls);
  // Serves these and no others; clients of those that go are disconnected. Cannot fail.
  void serve(Next next);

  [[nodiscard]] std::vector<ListeningAt> listening() const;
  // Connected clients that came by a listener of that name.
  std::size_t clients_of(const std::string& listener);

 private:
  struct Place {
    const net::Endpoint* endpoint = nullptr;
    const broker::ListenerPolicy* policy = nullptr;
    SpokenProtocols speaks;
  };
  using Taken = Result<Next::Place, net::BindError>;
  using Bind = std::function<Result<net::Workers::Bound, net::BindError>()>;

  Result<void> prepare_tcp(const config::Config& config, const config::ListenerConfig& listener,
                           const Service& service, Next& next);
  Result<void> prepare_unix(const config::Config& config, const config::ListenerConfig& listener,
                            const Service& service, Next& next);
  // Binds only if the address is not served.
  Taken take(const net::Address& address, const Service& service, const Bind& bind);

  net::Workers& workers_;
  net::MailRoom& mail_;
  std::vector<std::unique_ptr<broker::ListenerPolicy>> policies_;
  std::vector<Place> places_;
};

}  // namespace nightjar::cli
