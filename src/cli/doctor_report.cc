#include "cli/doctor_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <iterator>

namespace nightjar::cli {
namespace {

namespace json = boost::json;
using Status = Finding::Status;

constexpr int kStatusWidth = 9;
constexpr int kCheckWidth = 22;

std::string counted(std::size_t count, std::string_view what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

// As people read it.
std::string title(const Finding& finding) {
  std::string text{finding.check};
  std::replace(text.begin(), text.end(), '_', ' ');
  return text;
}

bool has_sysctl(const Finding& finding) { return finding.fix.find("sysctl -w") != std::string::npos; }

}  // namespace

std::size_t count_of(const std::vector<Finding>& findings, Status status) {
  return static_cast<std::size_t>(
      std::count_if(findings.begin(), findings.end(),
                    [status](const Finding& finding) { return finding.status == status; }));
}

std::string findings_table(const Demand& demand, const std::vector<Finding>& findings) {
  std::string out = fmt::format("{} on this machine\n\n", counted(demand.connections, "client"));
  for (const Finding& finding : findings) {
    fmt::format_to(std::back_inserter(out), "{:<{}}{:<{}}{}\n", to_string(finding.status), kStatusWidth,
                   title(finding), kCheckWidth, finding.found);
    if (finding.fix.empty()) continue;
    fmt::format_to(std::back_inserter(out), "{:<{}}fix: {}\n", "", kStatusWidth + kCheckWidth, finding.fix);
  }
  fmt::format_to(std::back_inserter(out), "\n{}, {}\n",
                 counted(count_of(findings, Status::kWarning), "warning"),
                 counted(count_of(findings, Status::kHint), "hint"));
  if (std::any_of(findings.begin(), findings.end(), has_sysctl)) {
    out += "sysctl -w lasts until the machine starts again; a line in /etc/sysctl.d/90-nightjar.conf stays\n";
  }
  return out;
}

std::string findings_json(const Demand& demand, const std::vector<Finding>& findings) {
  json::array list;
  for (const Finding& finding : findings) {
    list.push_back(json::object{{"check", finding.check},
                                {"status", to_string(finding.status)},
                                {"found", finding.found},
                                {"fix", finding.fix}});
  }
  return json::serialize(json::object{{"connections", demand.connections},
                                      {"workers", demand.workers},
                                      {"warnings", count_of(findings, Status::kWarning)},
                                      {"hints", count_of(findings, Status::kHint)},
                                      {"findings", std::move(list)}}) +
         "\n";
}

}  // namespace nightjar::cli
