#include "cli/doctor.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <string>

#include "base/log.h"
#include "cli/command_line.h"
#include "cli/doctor_findings.h"
#include "cli/doctor_report.h"
#include "cli/serve_config.h"
#include "net/address.h"
#include "net/listener.h"

namespace nightjar::cli {
namespace {

constexpr int kNoWarning = 0;
constexpr int kWarnings = 1;
constexpr int kWrongOptions = 2;
constexpr int kWrongConfiguration = 3;

Demand demand_of(const config::Config& config, std::uint64_t connections) {
  Demand demand{.connections = connections,
                .workers = worker_count(config),
                .addresses = 0,
                .accept_backlog = net::kAcceptBacklog,
                .shared_bytes = config.policy.retained_bytes_max + config.policy.unfinished_bytes_max +
                                config.policy.strangers_bytes_max};
  for (const config::ListenerConfig& listener : config.listeners) {
    const broker::ListenerPolicy& policy = listener.policy;
    const auto addresses = net::addresses_of(listener.address, listener.port);
    demand.addresses += addresses ? static_cast<std::uint32_t>(addresses->size()) : 1;
    demand.slow_client_bytes =
        std::max(demand.slow_client_bytes,
                 policy.output_bytes_max + policy.inflight_bytes_max + policy.queue.bytes_max);
  }
  return demand;
}

}  // namespace

int run_doctor(int argc, char** argv) {
  const auto options = parse_doctor(argc, argv);
  if (!options) return options.error() == 0 ? 0 : kWrongOptions;
  const auto config = serve_config(options->serve);
  if (!config) {
    for (const std::string& problem : config.error()) fmt::print(stderr, "nightjar doctor: {}\n", problem);
    return kWrongConfiguration;
  }
  if (options->process_id && !std::filesystem::exists(fmt::format("/proc/{}", *options->process_id))) {
    fmt::print(stderr, "nightjar doctor: there is no process {}; \"pidof nightjar\" finds the broker\n",
               *options->process_id);
    return kWrongOptions;
  }
  const Demand demand =
      demand_of(*config, options->connections != 0 ? options->connections : kUsualConnections);
  const auto findings = examine(read_machine({.process_id = options->process_id}), demand);
  fmt::print("{}", options->is_json ? findings_json(demand, findings) : findings_table(demand, findings));
  return count_of(findings, Finding::Status::kWarning) == 0 ? kNoWarning : kWarnings;
}

void warn_about_machine(const config::Config& config) {
  for (const Finding& finding :
       what_keeps_clients_out(read_machine(), demand_of(config, kUsualConnections))) {
    log::warn(fmt::format("{}; {}; \"nightjar doctor\" checks the rest", finding.found, finding.fix),
              {{"check", std::string{finding.check}}});
  }
}

}  // namespace nightjar::cli
