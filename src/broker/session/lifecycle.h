// Opening, keeping and ending sessions, and the life of their wills: the one state machine of connect,
// takeover, disconnect, session expiry and will delay (sections 3.1.2.4, 3.1.2.5, 3.1.3.2.2, 3.1.4, 3.14).
//
//   no session ──open──► connected ──connection ends──► offline ──timer──► will published ──timer──► ended
//                            ▲                             │                                          ▲
//                            └────────── open ◄────────────┘        expiry 0: at once ────────────────┘
//
// The will goes out when its delay has passed or the session ends, whichever comes first [MQTT-3.1.3-9]; a
// new connection that resumes the session in time cancels it. Functions of the session's home worker.
#pragma once

#include <memory>
#include <string_view>

#include "broker/session/session.h"

namespace nightjar::broker {

struct WorkerState;

struct Opened {
  Session* session;
  bool is_present;  // Session Present of CONNACK
};

// Finds or makes the session of a client id; with `clean_start` an existing one is ended first. The session
// has no connection at that moment.
Opened open_session(WorkerState& worker, const std::string& client_id, bool clean_start,
                    const ListenerPolicy& policy);

// The session's connection is gone (Session::connection is null already). Publishes or delays the will, ends
// the session or starts its expiry. `session` may be gone afterwards.
void connection_ended(WorkerState& worker, Session& session);

// Publishes a will that is pending and gives up everything the session holds. From then on it is unknown; its
// subscriptions leave the tables in this turn and, if there are too many of them, the next ones.
void end_session(WorkerState& worker, Session& session);
// At the end of a turn: the rest of these.
void forget_ended_sessions(WorkerState& worker);

// Publishes the wills of connected clients that the end of their connections would publish, so that all
// clients are still there to get them.
void publish_wills_at_shutdown(WorkerState& worker);

// Will delay or expiry is due.
void on_session_timer(WorkerState& worker, Session& session);
// Arms the timer for an offline session from the present moment (also after a shard move).
void arm_offline_timer(WorkerState& worker, Session& session);

// Removes one subscription from the tables; a group is left with `operation` (see group_member.h).
void unsubscribe(WorkerState& worker, Session& session, std::string_view text, std::uint32_t operation);

}  // namespace nightjar::broker
