#include "cli/control_answer.h"

#include <boost/json.hpp>

namespace nightjar::cli {

namespace json = boost::json;

Result<void> check_answer(const std::string& answer) {
  json::error_code error;
  const json::value parsed = json::parse(answer, error);
  const json::object* object = error ? nullptr : parsed.if_object();
  const json::value* text = object != nullptr ? object->if_contains("error") : nullptr;
  if (text != nullptr && text->is_string()) return fail(std::string(text->get_string()));
  return {};
}

}  // namespace nightjar::cli
