#include "cli/check.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <boost/json.hpp>
#include <cstdio>
#include <ctime>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "auth/access.h"
#include "broker/durable/describe.h"
#include "cli/access_settings.h"
#include "cli/check_places.h"
#include "cli/check_rules.h"
#include "cli/command_line.h"
#include "cli/control_client.h"
#include "cli/data_dir.h"
#include "cli/listener_protocols.h"
#include "cli/serve_config.h"
#include "cli/tls_listeners.h"
#include "cli/who_may_enter.h"
#include "config/difference.h"
#include "net/address.h"

namespace nightjar::cli {
namespace {

constexpr int kFine = 0;
constexpr int kWarnings = 1;
constexpr int kWrongConfiguration = 3;
constexpr std::int64_t kSoonDays = 30;

// What is said about one configuration, and how much of it is a warning.
class Report {
 public:
  static void say(std::string_view line) { fmt::print("{}\n", line); }
  void warn(std::string_view line) {
    ++warnings_;
    fmt::print("warning: {}\n", line);
  }
  [[nodiscard]] std::size_t warnings() const { return warnings_; }

 private:
  std::size_t warnings_ = 0;
};

int complain(std::string_view problem) {
  fmt::print(stderr, "nightjar check: {}\n", problem);
  return kWrongConfiguration;
}

void check_address(const config::ListenerConfig& listener, const net::Address& address,
                   const auth::ListenerAccess& access) {
  const std::string where{net::AddressText(address).view()};
  Report::say(fmt::format("listener \"{}\" on {}: {}; {}", config::name_of(listener), where,
                          describe_protocols(listener).words,
                          who_may_enter(address, listener.policy, access)));
}

Result<void> check_listener(const config::ListenerConfig& listener, const auth::ListenerAccess& access,
                            Report& report) {
  if (!listener.unix_path.empty()) {
    NJ_TRY(const net::Address address, net::unix_address(listener.unix_path));
    check_address(listener, address, access);
  } else {
    NJ_TRY(const auto addresses, addresses_of(listener));
    for (const net::Address& address : addresses) check_address(listener, address, access);
  }
  if (access.rules) Report::say(fmt::format("  what they may do is in {}", access.settings.acl_file));
  if (lets_nobody_in(listener.policy, access)) report.warn("that listener lets nobody in");
  return {};
}

void check_certificates(const TlsListeners& tls, Report& report) {
  for (const ServedCertificate& served : tls.certificates(std::time(nullptr))) {
    const std::string line = fmt::format(
        "certificate {} of listener \"{}\": {}", served.facts.file, served.listener,
        served.days_left < 0
            ? "HAS EXPIRED"
            : fmt::format("{} left", broker::counted(static_cast<std::uint64_t>(served.days_left), "day")));
    served.days_left < kSoonDays ? report.warn(line) : Report::say(line);
  }
}

// -1 if it does not say.
int process_of_broker(const std::string& data_dir) {
  const auto stats = ask_broker(data_dir, {.path = {"api", "v1", "stats"}});
  if (!stats) return -1;
  boost::json::error_code error;
  const boost::json::value parsed = boost::json::parse(*stats, error);
  const boost::json::value* id = error ? nullptr : parsed.find_pointer("/node/process_id", error);
  return id != nullptr && id->is_int64() ? static_cast<int>(id->get_int64()) : -1;
}

Result<void> check(const config::Config& config, Report& report) {
  for (const std::string& error : config.errors) report.warn(error);
  for (const std::string& warning : config.warnings) report.warn(warning);
  const bool keeps = config.node.durability != config::Durability::kMemory;
  const bool is_running = !config.node.data_dir.empty() && broker_serves(config.node.data_dir);
  Report::say(fmt::format("data directory {}{}{}",
                          config.node.data_dir.empty() ? "(none)" : config.node.data_dir,
                          keeps ? "" : "; a restart forgets everything (durability = \"memory\")",
                          is_running ? "; a broker runs on it" : ""));
  NJ_TRY(const auto tls, TlsListeners::open(config, {}));
  check_certificates(*tls, report);
  NJ_TRY(const auto access, auth::Access::load(access_settings(config)));
  for (const std::string& line : access->summary()) Report::say(line);
  for (const config::ListenerConfig& listener : config.listeners)
    NJ_CHECK(check_listener(listener, access->of(config::name_of(listener)), report));
  NJ_TRY(const auto suspicious, check_rules(*access));
  for (const std::string& finding : suspicious) report.warn(finding);
  const PlaceFindings places = check_places(config, is_running ? process_of_broker(config.node.data_dir) : 0);
  for (const std::string& warning : places.warnings) report.warn(warning);
  if (!places.problems.empty())
    return fail(fmt::format("{}", fmt::join(places.problems, "\nnightjar check: ")));
  return {};
}

}  // namespace

int run_check(int argc, char** argv) {
  const auto options = parse_check(argc, argv);
  if (!options) return options.error();
  const auto config = serve_config(*options);
  if (!config) {
    for (const std::string& problem : config.error()) complain(problem);
    return kWrongConfiguration;
  }
  Report report;
  if (const auto checked = check(*config, report); !checked) return complain(checked.error().message);
  if (report.warnings() == 0) Report::say("fine");
  return report.warnings() == 0 ? kFine : kWarnings;
}

}  // namespace nightjar::cli
