// Which handler answers a request: method and path against a table. Pure.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/control_http.h"

namespace nightjar::cli {

struct ControlRoute {
  // What stands for the parts in braces of `path`, in order.
  using Arguments = std::vector<std::string_view>;

  std::string_view method;
  std::string_view path;  // "/api/v1/clients/{id}"
  std::function<ControlResponse(const ControlRequest&, const Arguments&)> handle;
};

// 404 if no route has that path, 405 if one has it with another method.
ControlResponse answer_by(const std::vector<ControlRoute>& routes, const ControlRequest& request);

}  // namespace nightjar::cli
