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
  // A configuration made ready to serve; destroying it gives it up. Once it is made nothing can fail.
  class Prepared {
   public:
    virtual ~Prepared() = default;
    // What is different in files that the configuration names now and then.
    [[nodiscard]] virtual std::vector<config::Change> file_changes() const = 0;
    // Whom finish() would disconnect: "listener \"plain\": 17 clients".
    [[nodiscard]] virtual std::vector<std::string> departures() = 0;
    // It counts from now on. Nobody is disconnected and no address given up yet, so that there is a way back.
    virtual void commit() = 0;
    // After commit(), for good: whoever may not be here any more goes. They are returned.
    virtual std::vector<std::string> finish() = 0;
    // Instead of it: everything is as it was before commit().
    virtual void roll_back() = 0;
  };
  virtual ~ReloadTarget() = default;
  virtual Result<std::unique_ptr<Prepared>> prepare(const config::Config& config) = 0;
  // Whether clients are served where they should be.
  virtual Result<void> check_health() = 0;
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
  // What apply() would do now. Fails as it would, up to what only serving shows.
  Result<Plan, config::Problems> plan();
  // Changes that need a restart wait for it; all others are done when this returns.
  Result<Plan, config::Problems> apply();

  [[nodiscard]] const config::Config& current() const { return current_; }

 private:
  struct Step {
    config::Config next;
    std::unique_ptr<ReloadTarget::Prepared> prepared;
    Plan plan;  // without those who are disconnected
  };
  Result<Step, config::Problems> prepare();

  config::Config current_;
  const Load load_;
  ReloadTarget& target_;
};

}  // namespace nightjar::cli
