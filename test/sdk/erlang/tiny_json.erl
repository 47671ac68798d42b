%% As much JSON as the program needs: Erlang brings none before release 27.
-module(tiny_json).

-export([encode/1, decode/1]).

encode(Map) when is_map(Map) ->
    Members = [[encode(Key), ":", encode(Value)] || {Key, Value} <- maps:to_list(Map)],
    iolist_to_binary(["{", lists:join(",", Members), "}"]);
encode(List) when is_list(List) ->
    iolist_to_binary(["[", lists:join(",", [encode(Value) || Value <- List]), "]"]);
encode(Atom) when is_atom(Atom) ->
    atom_to_binary(Atom);
encode(Integer) when is_integer(Integer) ->
    integer_to_binary(Integer);
encode(Text) when is_binary(Text) ->
    iolist_to_binary(["\"", [escaped(Character) || <<Character/utf8>> <= Text], "\""]).

escaped($") -> "\\\"";
escaped($\\) -> "\\\\";
escaped(Character) when Character < 32 -> io_lib:format("\\u~4.16.0b", [Character]);
escaped(Character) -> <<Character/utf8>>.

decode(Text) ->
    {Value, Rest} = value(trimmed(Text)),
    <<>> = trimmed(Rest),
    Value.

value(<<"{", Rest/binary>>) -> members(trimmed(Rest), #{});
value(<<"[", Rest/binary>>) -> elements(trimmed(Rest), []);
value(<<"\"", Rest/binary>>) -> string(Rest, []);
value(<<"true", Rest/binary>>) -> {true, Rest};
value(<<"false", Rest/binary>>) -> {false, Rest};
value(<<"null", Rest/binary>>) -> {null, Rest};
value(Text) ->
    Pattern = "^-?[0-9]+(\\.[0-9]+)?([eE][-+]?[0-9]+)?",
    {match, [{0, Length}]} = re:run(Text, Pattern, [{capture, first}]),
    <<Number:Length/binary, Rest/binary>> = Text,
    {number(binary_to_list(Number)), Rest}.

number(Text) ->
    case string:to_integer(Text) of
        {Integer, []} -> Integer;
        _ -> list_to_float(Text)
    end.

members(<<"}", Rest/binary>>, Map) ->
    {Map, Rest};
members(<<",", Rest/binary>>, Map) ->
    members(trimmed(Rest), Map);
members(<<"\"", Text/binary>>, Map) ->
    {Key, AfterKey} = string(Text, []),
    <<":", AfterColon/binary>> = trimmed(AfterKey),
    {Value, Rest} = value(trimmed(AfterColon)),
    members(trimmed(Rest), Map#{Key => Value}).

elements(<<"]", Rest/binary>>, Values) ->
    {lists:reverse(Values), Rest};
elements(<<",", Rest/binary>>, Values) ->
    elements(trimmed(Rest), Values);
elements(Text, Values) ->
    {Value, Rest} = value(Text),
    elements(trimmed(Rest), [Value | Values]).

string(<<"\"", Rest/binary>>, Read) ->
    {iolist_to_binary(lists:reverse(Read)), Rest};
string(<<"\\u", Hex:4/binary, Rest/binary>>, Read) ->
    string(Rest, [<<(binary_to_integer(Hex, 16))/utf8>> | Read]);
string(<<"\\", Escaped, Rest/binary>>, Read) ->
    Controls = #{$n => $\n, $t => $\t, $r => $\r, $b => $\b, $f => $\f},
    string(Rest, [maps:get(Escaped, Controls, Escaped) | Read]);
string(<<Byte, Rest/binary>>, Read) ->
    string(Rest, [Byte | Read]).

trimmed(<<Space, Rest/binary>>) when Space =:= $\s; Space =:= $\n; Space =:= $\t; Space =:= $\r ->
    trimmed(Rest);
trimmed(Text) ->
    Text.
