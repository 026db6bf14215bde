#include "cli/stats_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <iterator>
#include <vector>

namespace nightjar::cli {
namespace {

namespace json = boost::json;

constexpr int kNameWidth = 26;
constexpr int kNumberWidth = 14;

std::string duration_text(std::int64_t seconds) {
  if (seconds < 60) return fmt::format("{} s", seconds);
  if (seconds < 3600) return fmt::format("{} min {} s", seconds / 60, seconds % 60);
  if (seconds < 86400) return fmt::format("{} h {} min", seconds / 3600, seconds % 3600 / 60);
  return fmt::format("{} d {} h", seconds / 86400, seconds % 86400 / 3600);
}

std::string number_text(const json::value& value) {
  return value.is_uint64() ? fmt::format("{}", value.get_uint64())
                           : fmt::format("{}", value.to_number<std::int64_t>());
}

// One line: the name, then the number of each column. The columns have the same members.
void write_rows(std::string& out, const std::vector<const json::object*>& columns,
                const std::string& indent) {
  for (const auto& [key, value] : *columns.front()) {
    std::string name = indent + std::string(key);
    std::replace(name.begin(), name.end(), '_', ' ');
    if (value.is_object()) {
      out += name + "\n";
      std::vector<const json::object*> inner;
      for (const json::object* column : columns) inner.push_back(&column->at(key).as_object());
      write_rows(out, inner, indent + "  ");
      continue;
    }
    fmt::format_to(std::back_inserter(out), "{:<{}}", name, kNameWidth);
    for (const json::object* column : columns) {
      fmt::format_to(std::back_inserter(out), "{:>{}}", number_text(column->at(key)), kNumberWidth);
    }
    out += '\n';
  }
}

std::string render(const json::object& stats) {
  const json::object& node = stats.at("node").as_object();
  std::string out =
      fmt::format("nightjar {}, process {}, up {}, {:.1f} MiB resident\n\n",
                  std::string_view(node.at("version").as_string()), number_text(node.at("process_id")),
                  duration_text(node.at("uptime_s").to_number<std::int64_t>()),
                  node.at("resident_bytes").to_number<double>() / (1024 * 1024));
  std::vector<const json::object*> columns{&stats.at("total").as_object()};
  fmt::format_to(std::back_inserter(out), "{:<{}}{:>{}}", "", kNameWidth, "total", kNumberWidth);
  const json::array& workers = stats.at("workers").as_array();
  for (std::size_t i = 0; workers.size() > 1 && i < workers.size(); ++i) {
    columns.push_back(&workers[i].as_object());
    fmt::format_to(std::back_inserter(out), "{:>{}}", fmt::format("worker {}", i), kNumberWidth);
  }
  out += '\n';
  write_rows(out, columns, "");
  if (const json::value* store = stats.if_contains("store")) {
    out += "store\n";
    write_rows(out, {&store->as_object()}, "  ");
  }
  if (const json::value* clients = stats.if_contains("client_certificates")) {
    out += "client certificates\n";
    write_rows(out, {&clients->as_object()}, "  ");
  }
  const json::value* certificates = stats.if_contains("certificates");
  if (certificates == nullptr || certificates->as_array().empty()) return out;
  out += "certificates: days left\n";
  for (const json::value& each : certificates->as_array()) {
    const json::object& served = each.as_object();
    const std::string name = fmt::format("  {} of {}", std::string_view(served.at("file").as_string()),
                                         std::string_view(served.at("listener").as_string()));
    fmt::format_to(std::back_inserter(out), "{:<{}}{:>{}}\n", name, kNameWidth,
                   number_text(served.at("days_left")), kNumberWidth);
  }
  return out;
}

}  // namespace

Result<std::string> stats_table(std::string_view answer) {
  json::error_code error;
  const json::value parsed = json::parse(answer, error);
  // Members that are missing or of another type make Boost.JSON throw: the broker is of another version.
  try {
    if (!error) return render(parsed.as_object());
  } catch (const std::exception&) {
  }
  return fail("the answer of the broker is not understood; is it of another version? Use --json to see it");
}

}  // namespace nightjar::cli
