%% HTTP over a socket of its own: Erlang's httpc writes header names of an answer in lower case,
%% while the HTTP library under Erlang's AWS client leaves them as they came.
-module(raw_http).

-export([exchange/2]).

-define(TIMEOUT_MS, 20000).
%% A line longer than the buffer would be cut.
-define(LINES, [{packet, line}, {buffer, 65536}]).

%% Sends one request; answers status, headers as spelled, and body.
exchange(#{address := Address, port := Port}, Request) ->
    #{method := Method, path := Path, query := Query, headers := Headers, body := Body} = Request,
    {ok, Socket} = gen_tcp:connect(Address, Port, [binary, {active, false} | ?LINES]),
    Length = {"Content-Length", integer_to_list(byte_size(Body))},
    Lines = [[Name, ": ", text(Value), "\r\n"] || {Name, Value} <- Headers ++ [Length]],
    First = [Method, " ", target(Path, Query), " HTTP/1.1\r\n"],
    ok = gen_tcp:send(Socket, [First, Lines, "\r\n", Body]),
    {ok, <<"HTTP/1.1 ", Status:3/binary, _/binary>>} = gen_tcp:recv(Socket, 0, ?TIMEOUT_MS),
    Answered = headers(Socket),
    {_, Size} = lists:keyfind("content-length", 1, lowered(Answered)),
    Answer = body(Socket, list_to_integer(Size)),
    ok = gen_tcp:close(Socket),
    {binary_to_integer(Status), Answered, Answer}.

target(Path, []) -> Path;
target(Path, Query) -> [Path, "?", signing:query_text(Query)].

headers(Socket) ->
    {ok, Line} = gen_tcp:recv(Socket, 0, ?TIMEOUT_MS),
    case string:split(string:trim(binary_to_list(Line)), ":") of
        [[]] -> [];
        [Name, Value] -> [{Name, string:trim(Value)} | headers(Socket)]
    end.

body(_, 0) ->
    <<>>;
body(Socket, Size) ->
    ok = inet:setopts(Socket, [{packet, raw}]),
    {ok, Body} = gen_tcp:recv(Socket, Size, ?TIMEOUT_MS),
    Body.

lowered(Headers) -> [{string:lowercase(Name), Value} || {Name, Value} <- Headers].

text(Value) when is_integer(Value) -> integer_to_list(Value);
text(Value) -> Value.
