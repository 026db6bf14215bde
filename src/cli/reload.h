// Brings a running broker to another configuration, all of it or nothing: what cannot be prepared changes
// nothing, and what turns out sick afterwards is taken back. Used by one thread at a time.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "config/config.h"
#include "config/difference.h"
#include "config/load.h"

namespace nightjar::cli {

// The broker, as a reload needs it.
class ReloadTarget {
 public:
  // A configuration made ready to serve; destroying it gives it up.
  class Prepared {
   public:
    virtual ~Prepared() = default;
    // Cannot fail.
    virtual void commit() = 0;
  };
  virtual ~ReloadTarget() = default;
  virtual Result<std::unique_ptr<Prepared>> prepare(const config::Config& config) = 0;
  // Whether clients are served where they should be.
  virtual Result<void> check_health() = 0;
  // Connected clients that came by this listener.
  virtual std::size_t clients_of(const config::ListenerConfig& listener) = 0;
};

class Reload {
 public:
  using Load = std::function<Result<config::Config, config::Problems>()>;

  Reload(config::Config current, Load load, ReloadTarget& target)
      : current_(std::move(current)), load_(std::move(load)), target_(target) {}

  struct Plan {
    std::vector<config::Change> changes;
    std::vector<std::string> disconnects;  // "listener \"plain\": 17 clients"
  };
  // What apply() would do now. Fails as it would for a wrong file.
  Result<Plan, config::Problems> plan();
  // Changes that need a restart wait for it; all others are done when this returns.
  Result<Plan, config::Problems> apply();

  [[nodiscard]] const config::Config& current() const { return current_; }

 private:
  Plan plan_for(const config::Config& next);

  config::Config current_;
  const Load load_;
  ReloadTarget& target_;
};

}  // namespace nightjar::cli
