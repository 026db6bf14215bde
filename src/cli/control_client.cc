#include "cli/control_client.h"

#include <fmt/format.h>

#include <boost/json.hpp>

#include "cli/data_dir.h"

namespace nightjar::cli {
namespace {

namespace json = boost::json;

std::string refusal(const ControlResponse& response) {
  json::error_code error;
  const json::value parsed = json::parse(response.body, error);
  const json::object* object = error ? nullptr : parsed.if_object();
  const json::value* text = object != nullptr ? object->if_contains("error") : nullptr;
  if (text != nullptr && text->is_string()) return std::string(text->get_string());
  return fmt::format("the broker answered with status {} and no reason", response.status);
}

}  // namespace

Result<std::string> ask_broker(const std::filesystem::path& data_dir, const ControlRequest& request,
                               int patience_s) {
  NJ_TRY(const net::Fd connection, connect_to(std::filesystem::absolute(data_dir) / kControlSocketName));
  limit_silence(connection, patience_s);
  NJ_CHECK(send_request(connection, request));
  NJ_TRY(ControlResponse response, receive_response(connection));
  if (response.status >= 400) return fail(refusal(response));
  return std::move(response.body);
}

}  // namespace nightjar::cli
