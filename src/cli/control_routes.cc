#include "cli/control_routes.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <optional>

namespace nightjar::cli {
namespace {

std::optional<ControlRoute::Arguments> match(std::string_view pattern, const std::vector<std::string>& path) {
  ControlRoute::Arguments arguments;
  for (const std::string& segment : path) {
    if (pattern.empty()) return std::nullopt;
    pattern.remove_prefix(1);  // the slash
    const std::string_view wanted = pattern.substr(0, pattern.find('/'));
    pattern.remove_prefix(wanted.size());
    if (wanted.starts_with('{')) {
      arguments.push_back(segment);
    } else if (wanted != segment) {
      return std::nullopt;
    }
  }
  if (!pattern.empty()) return std::nullopt;
  return arguments;
}

}  // namespace

ControlResponse answer_by(const std::vector<ControlRoute>& routes, const ControlRequest& request) {
  std::vector<std::string_view> methods;
  for (const ControlRoute& route : routes) {
    const auto arguments = match(route.path, request.path);
    if (!arguments) continue;
    if (route.method == request.method) return route.handle(request, *arguments);
    methods.push_back(route.method);
  }
  if (!methods.empty()) {
    return control_error(405, fmt::format("that path takes {} only", fmt::join(methods, ", ")));
  }
  return control_error(404,
                       fmt::format("this broker knows no path \"/{}\"; \"/api/v1\" lists those that it knows",
                                   fmt::join(request.path, "/")));
}

}  // namespace nightjar::cli
