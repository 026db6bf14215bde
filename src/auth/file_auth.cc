#include "auth/file_auth.h"

#include <string>
#include <utility>

#include "auth/certified_user.h"

namespace nightjar::auth {
namespace {

using broker::AuthVerdict;
using mqtt::ReasonCode;

AuthVerdict refuse(ReasonCode code, std::string reason) {
  return {.kind = AuthVerdict::Kind::kRefuse, .code = code, .reason = std::move(reason)};
}

AuthVerdict allow(std::string_view user) {
  return {.kind = AuthVerdict::Kind::kAllow, .user_name = std::string(user)};
}

// 3.1.1 has two codes, and Mosquitto's clients know "not authorized" for this.
ReasonCode code_of_wrong_login(const AccessSettings& settings) {
  return settings.is_mosquitto ? ReasonCode::kNotAuthorized : ReasonCode::kBadUserNameOrPassword;
}

AuthVerdict judge_password(std::string_view user, LoginAnswer answer, ReasonCode wrong) {
  switch (answer) {
    case LoginAnswer::kRight:
      return allow(user);
    case LoginAnswer::kWrong:
      break;
    case LoginAnswer::kTooManyFailures:
      return refuse(ReasonCode::kConnectionRateExceeded,
                    "too many wrong passwords; try again in some seconds");
    case LoginAnswer::kBusy:
      return refuse(ReasonCode::kServerBusy, "too many logins wait; try again in some seconds");
  }
  return refuse(wrong, "wrong user name or password");
}

// With Mosquitto an empty user name is none.
bool has_name(const AccessSettings& settings, const broker::AuthRequest& request) {
  return request.has_user_name && !(settings.is_mosquitto && request.user_name.empty());
}

// Without a certificate, and without a password that could be looked at.
AuthVerdict judge_anonymous(const ListenerAccess& access, const broker::AuthRequest& request) {
  // What held when the connection was accepted may hold no longer.
  if (!request.listener_allows_anonymous || !access.settings.allows_anonymous) {
    if (!has_name(access.settings, request))
      return refuse(ReasonCode::kNotAuthorized, "this listener does not allow anonymous clients");
    return refuse(code_of_wrong_login(access.settings), "no users are configured");
  }
  if (has_name(access.settings, request) && access.settings.refuses_unproved_names)
    return refuse(ReasonCode::kNotAuthorized, "the plugin that knows the users is not loaded");
  // A name that nobody proved stands for nothing, but Mosquitto takes it.
  return allow(access.settings.is_mosquitto ? request.user_name : std::string_view{});
}

// With Mosquitto nothing else lets a client in where the certificate says who it is.
bool needs_certified_user(const AccessSettings& settings) {
  return settings.is_mosquitto && settings.user_from != UserFrom::kNone;
}

class FileExchange final : public broker::AuthExchange {
 public:
  FileExchange(const AccessInForce& access, LoginDesk& desk) : access_(access), desk_(desk) {}

  void start(const broker::AuthRequest& request, Done done) override {
    const ListenerAccess& access = access_.now().of(request.listener);
    if (const CertifiedUser certified = certified_user(access.settings.user_from, request.proof);
        certified.has_proof) {
      return done(certified.name.empty()
                      ? refuse(ReasonCode::kNotAuthorized,
                               "the certificate does not have the name that this listener takes for the user")
                      : allow(certified.name));
    }
    if (needs_certified_user(access.settings)) {
      return done(refuse(ReasonCode::kBadUserNameOrPassword,
                         "this listener takes the user from a certificate or key, and the client has none"));
    }
    if (!access.passwords || !has_name(access.settings, request))
      return done(judge_anonymous(access, request));
    if (const std::string_view bound = access.rules ? access.rules->bound_client_id(request.user_name) : "";
        !bound.empty() && bound != request.client_id) {
      return done(
          refuse(code_of_wrong_login(access.settings), "this user may log in with another client id only"));
    }
    ask_desk(access, request, done);
  }
  // Never asked for more, so whatever comes is out of place.
  void proceed(ByteView, Done done) override { done(refuse(ReasonCode::kProtocolError, "unexpected AUTH")); }

 private:
  void ask_desk(const ListenerAccess& access, const broker::AuthRequest& request, const Done& done) {
    const ReasonCode wrong = code_of_wrong_login(access.settings);
    const auto answer = desk_.ask(
        {.table = access.passwords,
         .user = request.user_name,
         .password = request.has_password ? request.password : ByteView{},
         .peer = request.peer,
         .worker = request.worker},
        [this, listener = std::string(request.listener), table = access.passwords,
         user = std::string(request.user_name), done, wrong](LoginAnswer later) {
          if (later == LoginAnswer::kRight && !still_counts(listener, user, *table))
            later = LoginAnswer::kWrong;
          done(judge_password(user, later, wrong));
        },
        ticket_);
    if (answer) done(judge_password(request.user_name, *answer, wrong));
  }

  // The file may have been read again while the password was looked at.
  bool still_counts(std::string_view listener, std::string_view user, const PasswordTable& asked) const {
    const auto& present = access_.now().of(listener).passwords;
    if (present.get() == &asked) return true;
    const PasswordHash* then = asked.find(user);
    const PasswordHash* now = present ? present->find(user) : nullptr;
    return then != nullptr && now != nullptr && then->text() == now->text();
  }

  const AccessInForce& access_;
  LoginDesk& desk_;
  std::unique_ptr<LoginDesk::Ticket> ticket_;
};

}  // namespace

std::unique_ptr<broker::AuthExchange> FileAuth::open(std::string_view method) {
  if (!method.empty()) return nullptr;
  return std::make_unique<FileExchange>(access_, desk_);
}

}  // namespace nightjar::auth
