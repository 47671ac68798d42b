%% EC2 and STS through Erlang's own httpc, their answers read with its own xmerl.
-module(query).

-export([call/4, text/2, elements/2]).

-define(TIMEOUT_MS, 20000).

%% Calls an action; answers the document, or the error's code.
call(Client, Service, Action, Parameters) ->
    #{host := Host, address := Address, port := Port} = Client,
    Version = maps:get(Service, #{"ec2" => "2016-11-15", "sts" => "2011-06-15"}),
    Form = [{"Action", Action}, {"Version", Version} | Parameters],
    Type = "application/x-www-form-urlencoded",
    Body = list_to_binary(signing:query_text(Form)),
    Headers = [{"Host", Host}, {"Content-Type", Type}],
    Request = #{method => "POST", path => "/", query => [], headers => Headers, body => Body},
    #{headers := Signed} = signing:signed(Client, Service, Request),
    Sent = [Header || {Name, _} = Header <- Signed, Name =/= "Content-Type"],
    Url = "http://" ++ Address ++ ":" ++ integer_to_list(Port) ++ "/",
    Options = [{timeout, ?TIMEOUT_MS}],
    {ok, {{_, Status, _}, _, Answer}} =
        httpc:request(post, {Url, Sent, Type, Body}, Options, [{body_format, binary}]),
    {Document, []} = xmerl_scan:string(binary_to_list(Answer), [{quiet, true}]),
    case Status of
        200 -> {ok, Document};
        _ -> {error, text("//Code", Document)}
    end.

%% The text at a path, or null where there is no such element.
text(Path, Node) ->
    case xmerl_xpath:string(Path, Node) of
        [] ->
            null;
        [Element | _] ->
            {xmlObj, string, Text} = xmerl_xpath:string("string(.)", Element),
            unicode:characters_to_binary(Text)
    end.

elements(Path, Node) -> xmerl_xpath:string(Path, Node).
